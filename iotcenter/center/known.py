"""What the center has in mind of one device."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from iotcenter.center.attendance import Attendance
from iotcenter.center.lost import Lost
from iotcenter.center.presence import judge
from iotcenter.center.timeline import Timeline
from iotcenter.center.trend import TrendOf
from iotcenter.model import (
    Account,
    AppState,
    CommandOffer,
    Device,
    DeviceId,
    Photo,
    PresenceState,
    Reading,
    Series,
    SeriesValue,
    SshOffer,
    Trend,
    Value,
    VideoOffer,
)


class Brief(Struct, frozen=True):
    """What lists of devices are counted, searched and sorted by."""

    name: str
    state: PresenceState
    last_seen: float | None
    address: str
    agent: str


class KnownDevice:
    """One device: what is kept of it, its newest values, and the link to it while there is one.

    It is changed in place, since it is asked for with every report; ``snapshot`` gives what others may keep.
    """

    def __init__(self, id: DeviceId, name: str, transport: str, created: float) -> None:
        self.id = id
        self.name = name
        self.transport = transport
        self.created = created
        self.revoked = False
        self.address = ""
        self.agent = ""
        self.app: AppState | None = None
        self.app_detail = ""
        self.last_seen: float | None = None
        self.last_report: float | None = None
        self.connected_since: float | None = None
        self.attachment: Any = None
        self.state = PresenceState.OFFLINE
        self.commands: tuple[CommandOffer, ...] = ()
        self.ssh = SshOffer()
        self.video: VideoOffer | None = None
        self.earliest: dict[str, float] = {}
        """From when on readings of each series are taken in, in Unix seconds."""
        self.latest: dict[str, tuple[Value, float]] = {}
        self.timeline = Timeline()
        self.received = 0
        self.duplicates = 0
        self.late = 0
        self.refused = 0
        self.lost = Lost()
        self.photo: Photo | None = None
        self._trends: dict[str, TrendOf] = {}
        self._series: dict[str, Series] = {}
        self._every = 0.0
        self.expected = 0.0
        self.attendance = Attendance()

    @property
    def linked(self) -> bool:
        """Whether there is a link to it."""
        return self.attachment is not None

    def offer(self, series: Iterable[Series], commands: Iterable[CommandOffer], ssh: SshOffer) -> None:
        """Take over what the device says it offers."""
        self.ssh = ssh
        self._series = {one.name: one for one in series}
        self._every = min((one.every for one in self._series.values() if one.every > 0), default=0.0)
        self.commands = tuple(commands)

    @property
    def series(self) -> tuple[Series, ...]:
        """The series that it offers."""
        return tuple(self._series.values())

    def command(self, name: str) -> CommandOffer | None:
        """The offer of that name."""
        return next((offer for offer in self.commands if offer.name == name), None)

    def count(self, received: int, duplicates: int, late: int, refused: int) -> None:
        """Enter what became of a report."""
        self.received += received
        self.duplicates += duplicates
        self.late += late
        self.refused += refused

    def newest(self, reading: Reading) -> bool:
        """Remember ``reading`` where it is not older than what is known; whether it was."""
        name, value, time = reading.name, reading.value, reading.time
        known = self.latest.get(name)
        if known is not None and known[1] > time:
            return False
        self.latest[name] = (value, time)
        if isinstance(value, float):
            trend = self._trends.get(name)
            if trend is None:
                trend = self._trends[name] = TrendOf()
            trend.add(value, time)
        return True

    def trend(self, name: str, now: float) -> Trend | None:
        """Where the series of that name went in the last hour."""
        trend = self._trends.get(name)
        return None if trend is None else trend.at(now)

    def recall(self, name: str, points: Sequence[tuple[int, float]]) -> None:
        """Take up where the series of that name went before: minutes since 1970 and their means, oldest first."""
        self._trends.setdefault(name, TrendOf()).recall(points)

    def shift(self, jump: float) -> None:
        """The clock was set while the device is here: its times are as long ago as they were before."""
        times = (self.last_seen, self.last_report, self.connected_since)
        moved = [None if time is None else time + jump for time in times]
        self.last_seen, self.last_report, self.connected_since = moved
        self.attendance.shift(jump)

    def judge(self, now: float) -> tuple[PresenceState, str]:
        """Its state now, and why it is not online."""
        heard = max((at for at in (self.last_report, self.connected_since) if at is not None), default=self.last_seen)
        if not self.linked:
            heard = self.last_seen
        if self.revoked:
            return PresenceState.OFFLINE, "it was revoked"
        return judge(self.linked, heard, self.expected or self._every, now)

    def snapshot(self, now: float) -> Device:
        """The device as it stands, for the API and the pages."""
        state, reason = self.judge(now)
        return Device(
            name=self.name,
            id=self.id,
            transport=self.transport,
            state=state,
            reason=reason,
            last_seen=self._seen(now),
            connected_since=self.connected_since,
            address=self.address,
            agent=self.agent,
            app=self.app,
            app_detail=self.app_detail,
            created=self.created,
            revoked=self.revoked,
            clock=self.timeline.clock,
            clock_offset=self.timeline.clock_off,
            series=self._values(now),
            commands=self.commands,
            ssh=self.ssh,
            account=Account(self.received, self.duplicates, self.late, self.lost.total, self.refused),
            photo=self.photo,
            expected=self.expected,
            video=self.video,
        )

    def brief(self, now: float) -> Brief:
        """The same, as short as lists need it."""
        return Brief(self.name, self.judge(now)[0], self._seen(now), self.address, self.agent)

    def _seen(self, now: float) -> float | None:
        return now if self.linked and self.last_seen is None else self.last_seen

    def _values(self, now: float) -> tuple[SeriesValue, ...]:
        names = [*self._series, *(name for name in sorted(self.latest) if name not in self._series)]
        return tuple(self._value(name, now) for name in names)

    def _value(self, name: str, now: float) -> SeriesValue:
        offered = self._series.get(name) or Series(name=name)
        value, time = self.latest.get(name, (None, None))
        return SeriesValue(
            name=name,
            label=offered.label or in_label(name),
            unit=offered.unit,
            every=offered.every,
            decimals=offered.decimals,
            value=value,
            time=time,
            trend=self.trend(name, now),
        )


def in_label(name: str) -> str:
    """A series' name as people would write it, for a device that gave no label: ``cpu_load`` is ``Cpu load``."""
    words = name.replace("_", " ").replace("-", " ").strip()
    return words[:1].upper() + words[1:]
