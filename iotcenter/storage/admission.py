"""What is said of a report before it is acknowledged: each reading is kept, or refused with its reason.

What is refused does not go into the inbox, so that merging comes to the same answer whenever it is done. Whether a
reading had come before is not looked up here: that is for the merge to find.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from iotcenter.model import LARGEST, Reading, is_series_name
from iotcenter.storage.entries import damaged, numbered, size
from iotcenter.storage.fitting import Unfit, fit
from iotcenter.storage.times import EARLIEST, MOST_AHEAD
from iotcenter.wire.codec import BadReading, DamagedReport
from iotcenter.wire.messages import Ack, Refusal, Report

MOST_SERIES = 512
"""Series of one device: twice what one Hello offers. A device that makes names up would fill the disk with them."""


TOO_LATE = "it comes too late: readings of that time are not kept any more"
"""Why a reading that is older than the retention is refused."""


class Admitted(NamedTuple):
    """What to answer for each report once it is on disk, and the newest reading of each series among all of them."""

    acks: list[Ack]
    newest: dict[str, Reading]


def admit(
    reports: Sequence[Report | DamagedReport], received: float, earliest: dict[str, float], usual: float = 0.0
) -> Admitted:
    """Look at ``reports`` that came together at ``received``.

    ``earliest`` has the device's series, and from when on each is kept; new ones are added, and kept as is ``usual``.
    """
    newest: dict[str, Reading] = {}
    return Admitted([admit_one(report, received, earliest, usual, newest) for report in reports], newest)


def admit_one(
    report: Report | DamagedReport,
    received: float,
    earliest: dict[str, float],
    usual: float,
    newest: dict[str, Reading],
) -> Ack:
    """What to answer for a single report, once it is on disk; its newest readings are entered into ``newest``."""
    ack = _admit_plain(report, received, earliest, newest)
    return _admit(report, received, earliest, usual, newest) if ack is None else ack


def without_refused(report: Report | DamagedReport, ack: Ack) -> Report | DamagedReport:
    """What of ``report`` goes into the inbox: all of it but what ``ack`` refuses."""
    if not ack.refused:
        return report  # as nearly always
    reasons = {refusal.sequence: refusal.reason for refusal in ack.refused}
    good = tuple((number - report.sequence, one) for number, one in numbered(report) if number not in reasons)
    bad = tuple(BadReading(number - report.sequence, reason) for number, reason in reasons.items())
    return DamagedReport(report.boot, report.sequence, size(report), report.time, good, bad)


def _admit_plain(
    report: Report | DamagedReport, received: float, earliest: dict[str, float], newest: dict[str, Reading]
) -> Ack | None:
    """What ``_admit`` says of a report of which nothing is refused and nothing is new to us, as nearly always; None for
    all others, which it is to look at itself."""
    if not isinstance(report, Report):
        return None
    latest = received + MOST_AHEAD
    for reading in report.readings:
        name, value, time = reading.name, reading.value, reading.time
        begins = earliest.get(name)
        if begins is None or not (begins <= time <= latest and time >= EARLIEST):
            return None
        if type(value) is not float or not -LARGEST <= value <= LARGEST:
            return None
        known = newest.get(name)
        if known is None or known.time <= time:
            newest[name] = reading
    return Ack(report.boot, report.sequence, len(report.readings))


def _admit(
    report: Report | DamagedReport,
    received: float,
    earliest: dict[str, float],
    usual: float,
    newest: dict[str, Reading],
) -> Ack:
    refused = [Refusal(sequence, reason) for sequence, reason in damaged(report)]
    for sequence, sent in numbered(report):
        try:
            reading = fit(sent, received)
            begins = earliest.get(reading.name)
            if begins is None:
                check_new_name(reading.name, len(earliest))
                check_time(reading, usual)
                earliest[reading.name] = usual
            else:
                check_time(reading, begins)
        except Unfit as unfit:
            refused.append(Refusal(sequence, str(unfit)))
            continue
        known = newest.get(reading.name)
        if known is None or known.time <= reading.time:
            newest[reading.name] = reading
    return Ack(report.boot, report.sequence, size(report), tuple(refused))


def check_time(reading: Reading, begins: float) -> None:
    """Whether a reading is of a time of which readings are kept. Raises ``Unfit``."""
    if reading.time < begins:
        raise Unfit(TOO_LATE)


def check_new_name(name: str, series: int) -> None:
    """Whether a device that has so many series may have one more, of that name. Raises ``Unfit``."""
    if not is_series_name(name):
        raise Unfit("its series cannot have that name: letters, digits and : . / _ - are allowed, 64 at most")
    if series >= MOST_SERIES:
        raise Unfit(f"the device has {MOST_SERIES} series already, and may not have more")
