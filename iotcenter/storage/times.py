"""When something was measured: what can be, and what cannot."""

from __future__ import annotations

RELATIVE = 2**28
"""Times below this count from now (RFC 8428, section 4.5.3)."""

MOST_OFF = 300.0
"""Seconds by which a device's clock may be off before its times are set right: networks and drifting clocks do less."""

EARLIEST = 978307200.0
"""The year 2001: a clock that says less was never set."""

MOST_AHEAD = 86400.0
"""Seconds by which a reading may lie ahead of the server's clock, which may be wrong itself."""

LATE = 60.0
"""A reading that comes this many seconds after it was measured is filled in late."""


def place(time: float, received: float) -> float:
    """The Unix time of ``time``."""
    return received + time if time < RELATIVE else time


def fault(time: float, received: float) -> str | None:
    """Why ``time`` cannot be when something was measured; None where it can."""
    if not time >= EARLIEST:  # so that NaN is caught too
        return "its time is before the year 2001: the device's clock was not set"
    if time > received + MOST_AHEAD:
        return "its time is more than a day ahead of the server's clock"
    return None
