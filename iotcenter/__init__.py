"""IotCenter: the one server that makers run for their devices."""

__version__ = "1.0.0"
