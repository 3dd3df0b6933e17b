"""What there is and what happened, for feed readers."""
