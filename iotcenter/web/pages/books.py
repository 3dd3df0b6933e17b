"""The account of a device's readings, and its clock, in words."""

from __future__ import annotations

from iotcenter.center.presence import in_words
from iotcenter.model import Account, ClockState, Device
from iotcenter.web.pages.units import number


def clock(device: Device) -> str:
    """What is known of a device's clock, and what is done about it."""
    if device.clock is ClockState.NONE:
        return "none: its readings are placed by their ages"
    if device.clock is ClockState.UNKNOWN or device.clock_offset is None:
        return "unknown until it reports"
    off = abs(device.clock_offset)
    way = "ahead" if device.clock_offset > 0 else "behind"
    if device.clock is ClockState.WRONG:
        return f"{in_words(off)} {way}: the times of its readings are set right"
    return "right" if off < 1 else f"right ({in_words(off)} {way})"


def account(device: Device) -> str:
    """Whether anything is missing of what a device measured, and why."""
    books = device.account
    if not books.received:
        return "Nothing was received so far."
    missing = [*_lost(books), *_refused(books)]
    return " ".join(missing) if missing else "Nothing is missing: all that it measured is here, or still waits on it."


def _lost(books: Account) -> list[str]:
    if not books.lost:
        return []
    return [f"{_readings(books.lost)} missing: the device had no room for more in its spool."]


def _refused(books: Account) -> list[str]:
    if not books.refused:
        return []
    return [f"{_readings(books.refused)} refused as impossible; the device's log says why."]


def _readings(count: int) -> str:
    return "1 reading is" if count == 1 else f"{number(count, 0)} readings are"
