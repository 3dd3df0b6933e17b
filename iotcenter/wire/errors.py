"""What goes wrong between two ends of a link."""

from __future__ import annotations

import msgspec

UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError)
"""What msgspec raises where bytes are not what they were said to be: its own error does not cover text that is not
UTF-8, nesting that is too deep, and numbers that are too large."""


class WireError(Exception):
    """The bytes do not fit the protocol; the text says what was wrong with them, and holds none of their values."""
