"""Times as people and programs write them in a query: ``1764000000``, ``2026-11-22 14:00``, ``now-6h``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from iotcenter.model import FAR_FUTURE
from iotcenter.texts import _

MAX_LENGTH = 40
"""The longest text that is looked at: ISO 8601 with microseconds and offset has 32 characters."""

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_RELATIVE = re.compile(r"now(?:([+-])([0-9]{1,9})([smhdw]))?")
_NUMBER = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,9})?")


class BadTime(ValueError):
    """A text that is no time; the message is for the one who wrote it."""

    def __init__(self) -> None:
        super().__init__(_("must be Unix seconds, ISO 8601 such as 2026-11-22T14:00Z, or now-6h (s, m, h, d, w)"))


def parse_time(text: str, now: float, zone: tzinfo = UTC) -> float:
    """The time that ``text`` means, in Unix seconds; where it is on a clock without a zone, on one in ``zone``. Raises
    ``BadTime``."""
    text = text.strip()
    if len(text) > MAX_LENGTH:
        raise BadTime
    relative = _RELATIVE.fullmatch(text)
    if relative is not None:
        sign, count, unit = relative.groups()
        time = now if count is None else now + int(sign + count) * _SECONDS[unit]
    elif _NUMBER.fullmatch(text):
        time = float(text)
    else:
        time = _parse_iso(text, zone)
    if not -FAR_FUTURE <= time <= FAR_FUTURE:
        raise BadTime
    return time


def parse_span(start: str, end: str, now: float, zone: tzinfo) -> tuple[tuple[float, float] | None, dict[str, str]]:
    """From when to when, None where either is no time; and what is wrong, by the names ``from`` and ``to``."""
    times: list[float] = []
    problems: dict[str, str] = {}
    for name, text in (("from", start), ("to", end)):
        try:
            times.append(parse_time(text, now, zone))
        except BadTime as error:
            problems[name] = str(error)
    return (None if problems else (times[0], times[1])), problems


def _parse_iso(text: str, zone: tzinfo) -> float:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError):
        raise BadTime from None


def zone_named(name: str) -> tzinfo:
    """The time zone of that name; UTC where this machine does not know it."""
    return known_zone(name) or UTC


def known_zone(name: str) -> ZoneInfo | None:
    """The time zone of that name; None where this machine does not know it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
