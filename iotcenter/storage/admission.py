"""What is said of a report before it is acknowledged: each reading is kept, or refused with its reason.

Merging comes to the same answers later, since they depend on the report and its time of receipt alone. Whether a
reading had come before is not looked up here: that is for the merge to find.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from iotcenter.model import Reading, is_series_name
from iotcenter.storage.entries import damaged, numbered, size
from iotcenter.storage.fitting import Unfit, fit
from iotcenter.wire.codec import DamagedReport
from iotcenter.wire.messages import Ack, Refusal, Report

MOST_SERIES = 512
"""Series of one device: twice what one Hello offers. A device that makes names up would fill the disk with them."""


class Admitted(NamedTuple):
    """What to answer for each report once it is on disk, and the newest reading of each series among all of them."""

    acks: list[Ack]
    newest: dict[str, Reading]


def admit(reports: Sequence[Report | DamagedReport], received: float, names: set[str]) -> Admitted:
    """Look at ``reports`` that came together at ``received``. ``names`` are the device's series; new ones are added."""
    newest: dict[str, Reading] = {}
    return Admitted([_admit(report, received, names, newest) for report in reports], newest)


def _admit(report: Report | DamagedReport, received: float, names: set[str], newest: dict[str, Reading]) -> Ack:
    refused = [Refusal(sequence, reason) for sequence, reason in damaged(report)]
    for sequence, sent in numbered(report):
        try:
            reading = fit(sent, received)
            if reading.name not in names:
                check_new_name(reading.name, len(names))
                names.add(reading.name)
        except Unfit as unfit:
            refused.append(Refusal(sequence, str(unfit)))
            continue
        known = newest.get(reading.name)
        if known is None or known.time <= reading.time:
            newest[reading.name] = reading
    return Ack(report.boot, report.sequence, size(report), tuple(refused))


def check_new_name(name: str, series: int) -> None:
    """Whether a device that has so many series may have one more, of that name. Raises ``Unfit``."""
    if not is_series_name(name):
        raise Unfit("its series cannot have that name: letters, digits and : . / _ - are allowed, 64 at most")
    if series >= MOST_SERIES:
        raise Unfit(f"the device has {MOST_SERIES} series already, and may not have more")
