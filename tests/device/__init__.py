"""What the device's agent promises."""
