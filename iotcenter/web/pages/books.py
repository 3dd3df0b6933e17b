"""The account of a device's readings, and its clock, in words."""

from __future__ import annotations

from iotcenter.center.lengths import in_words
from iotcenter.model import Account, ClockState, Device
from iotcenter.texts import _, ngettext
from iotcenter.web.pages.units import number, point
from iotcenter.web.phrases import retold


def clock(device: Device) -> str:
    """What is known of a device's clock, and what is done about it."""
    if device.clock is ClockState.NONE:
        return _("none: its readings are placed by their ages")
    if device.clock is ClockState.UNKNOWN or device.clock_offset is None:
        return _("unknown until it reports")
    off = abs(device.clock_offset)
    way = (
        _("%(length)s ahead", length=_length(off))
        if device.clock_offset > 0
        else _("%(length)s behind", length=_length(off))
    )
    if device.clock is ClockState.WRONG:
        return _("%(way)s: the times of its readings are set right", way=way)
    return _("correct") if off < 1 else _("correct (%(way)s)", way=way)


def _length(seconds: float) -> str:
    return retold(in_words(seconds)).replace(".", point())


def account(device: Device) -> str:
    """Whether anything is missing of what a device measured, and why."""
    books = device.account
    if not books.received:
        return _("Nothing was received so far.")
    missing = [*_lost(books), *_refused(books)]
    return (
        " ".join(missing) if missing else _("Nothing is missing: all that it measured is here, or still waits on it.")
    )


def _lost(books: Account) -> list[str]:
    if not books.lost:
        return []
    return [
        ngettext(
            "1 reading is missing: the device had no room for more in its spool.",
            "%(shown)s readings are missing: the device had no room for more in its spool.",
            books.lost,
            shown=number(books.lost, 0),
        )
    ]


def _refused(books: Account) -> list[str]:
    if not books.refused:
        return []
    return [
        ngettext(
            "1 reading is refused as impossible; the device's log says why.",
            "%(shown)s readings are refused as impossible; the device's log says why.",
            books.refused,
            shown=number(books.refused, 0),
        )
    ]
