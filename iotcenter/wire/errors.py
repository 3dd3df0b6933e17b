"""What goes wrong between two ends of a link."""


class WireError(Exception):
    """The bytes do not fit the protocol; the text says what was wrong with them, and holds none of their values."""
