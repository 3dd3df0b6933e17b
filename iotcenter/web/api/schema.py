"""What the API takes and gives, beyond the nouns of ``iotcenter.model``.

What is taken refuses fields that it does not know: a misspelt one is said to be so, instead of being ignored.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from iotcenter.center import open_ports
from iotcenter.center.commands import MAX_LIFETIME, MAX_TIMEOUT
from iotcenter.center.logs import MAX_LINES
from iotcenter.identity import enrollment
from iotcenter.model import (
    FAR_FUTURE,
    LANGUAGE,
    DeviceName,
    Hours,
    Identifier,
    Interval,
    LogLevel,
    Noun,
    Number,
    Port,
    Role,
    SeriesName,
    Theme,
    Time,
    UnitSystem,
)
from iotcenter.storage import arrivals
from iotcenter.storage.events import MOST_EVENTS
from iotcenter.storage.file_rows import MOST_IN_ANSWER
from iotcenter.storage.forecast import Disk

When = Annotated[str, Meta(max_length=40, description="Unix seconds, ISO 8601, or now-6h (s, m, h, d, w)")]
LogText = Annotated[str, Meta(max_length=4096)]
KeptDays = Annotated[int, Meta(ge=0, le=36500)]
MOST_IMPORTED = 2000
"""Readings or lines in one piece of an import: what fits into a body, and is written in some milliseconds."""

Host = Annotated[str, Meta(min_length=1, max_length=260)]
TokenLifetime = Annotated[float, Meta(gt=0, le=enrollment.MAX_LIFETIME)]
Word = Annotated[str, Meta(max_length=64)]
Password = Annotated[str, Meta(max_length=4096)]


class Taken(Struct, frozen=True, forbid_unknown_fields=True):
    """The base of what is taken."""


class NewDevice(Taken, frozen=True):
    """A device to be. ``transport`` is ``tls``, ``udp``, ``udp-v1`` for a sketch of IotCenter 1, or ``registrar`` for
    one that shall register with a password.

    ``address`` is where it shall find this server; over TLS, ``lifetime`` is how many seconds its token works.
    """

    name: DeviceName
    transport: Literal["tls", "udp", "udp-v1", "registrar"] = "tls"
    lifetime: TokenLifetime | None = None
    address: Host | None = None


class DeviceChange(Taken, frozen=True):
    """What is to be another about a device: its name, or every how many seconds to expect to hear of it; 0: as often as
    it says itself. One at a time, since a name may be taken."""

    name: DeviceName | None = None
    expected: Interval | None = None


class NewCommand(Taken, frozen=True):
    """A command. ``timeout`` is how many seconds to wait for its result, ``lifetime`` how many it may wait for its
    device."""

    name: Identifier
    args: dict[str, Any] = {}
    timeout: Annotated[float, Meta(ge=0, le=MAX_TIMEOUT)] | None = None
    lifetime: Annotated[float, Meta(ge=0, le=MAX_LIFETIME)] | None = None


class LogQuery(Taken, frozen=True):
    """Which lines: at most ``limit``, of ``level`` or graver, from the one before the id ``before`` on."""

    limit: Annotated[int, Meta(ge=1, le=MAX_LINES)] = 100
    before: Annotated[int, Meta(ge=1, le=2**63 - 1)] | None = None
    level: LogLevel = LogLevel.DEBUG


class LogsQuery(Taken, frozen=True):
    """Which lines of all devices' logs, or of one: of ``level`` or graver, with ``text`` in them."""

    device: DeviceName | None = None
    level: LogLevel = LogLevel.DEBUG
    text: Annotated[str, Meta(max_length=100)] = ""


class FileQuery(Taken, frozen=True):
    """Which files: at most ``limit``, from the one before the id ``before`` on; with ``photos``, only pictures."""

    limit: Annotated[int, Meta(ge=1, le=MOST_IN_ANSWER)] = 100
    before: Annotated[int, Meta(ge=1, le=2**63 - 1)] | None = None
    photos: bool = False


class FilesKept(Taken, frozen=True):
    """How many files of a device are kept, the newest; null: as many as the configuration says."""

    keep: Annotated[int, Meta(ge=1, le=10_000)] | None


class ArrivalsQuery(Taken, frozen=True):
    """How many runs, the newest first."""

    limit: Annotated[int, Meta(ge=1, le=arrivals.KEPT)] = 100


class Arrival(Noun, frozen=True, omit_defaults=False):
    """Readings ``first`` to ``last`` of ``boot`` came from ``since`` to ``until``, the newest measured at ``time``;
    ``late`` of them over a minute after they were measured. By ``clock_offset`` seconds the device's clock was ahead;
    null where it had none."""

    boot: int
    first: int
    last: int
    time: float
    since: float
    until: float
    clock_offset: float | None
    late: int


class ReadingsQuery(Taken, frozen=True):
    """Which readings: of one series, from ``from`` up to ``to``, raw (``step`` 0) or in buckets of ``step`` seconds.

    Without ``step``, or with ``auto``, it is the finest of 1, 5, 15 and 30 minutes, 1, 3, 6 and 12 hours and a day (and
    1 and 4 weeks) that gives at most 2,000 buckets. ``zone`` is the time zone, such as ``Europe/Berlin``, in which
    days begin and times without a zone are read; without it, that of who asks.
    """

    device: DeviceName
    series: SeriesName
    start: When = msgspec.field(name="from", default="now-1h")
    end: When = msgspec.field(name="to", default="now")
    step: Annotated[float, Meta(ge=0, le=366 * 86400.0)] | Literal["auto"] | None = None
    zone: Annotated[str, Meta(max_length=64)] | None = None


class CsvQuery(ReadingsQuery, frozen=True):
    """Likewise; ``units`` are those to convert values to, where that can be done."""

    units: UnitSystem = UnitSystem.DECLARED


class NewReadings(Taken, frozen=True):
    """Readings that were measured before, of one series: Unix times with values. ``add_device`` makes the device where
    there is none of that name."""

    device: DeviceName
    series: Annotated[str, Meta(min_length=1, max_length=64)]
    readings: Annotated[tuple[tuple[Time, Number | bool | LogText], ...], Meta(max_length=MOST_IMPORTED)]
    add_device: bool = False


class NewLines(Taken, frozen=True):
    """Lines of a log that were written before: Unix times with texts. ``add_device`` as in readings."""

    device: DeviceName
    lines: Annotated[tuple[tuple[Time, LogText], ...], Meta(max_length=MOST_IMPORTED)]
    add_device: bool = False


class Retention(Noun, frozen=True, omit_defaults=False):
    """For how many days a series is kept, as it came and summed up; 0: for ever, null: as the configuration says."""

    raw: KeptDays | None = None
    minutes: KeptDays | None = None
    hours: KeptDays | None = None
    days: KeptDays | None = None


class RetentionChange(Taken, frozen=True):
    """For how many days ``series`` is kept from now on; what is older is deleted. The rest is as in retention."""

    series: SeriesName
    raw: KeptDays | None = None
    minutes: KeptDays | None = None
    hours: KeptDays | None = None
    days: KeptDays | None = None


class NewEnrollment(Taken, frozen=True):
    """A token for a new device, or for a known one that is set up again."""

    name: DeviceName
    lifetime: TokenLifetime | None = None
    address: Host | None = None


class Enrollment(Noun, frozen=True, omit_defaults=False):
    """A token that can still be used; nobody can be told its text again."""

    id: int
    name: DeviceName
    actor: str
    created: float
    expires: float


class IssuedEnrollment(Noun, frozen=True, omit_defaults=False):
    """A token, this once. ``line`` is what to paste on the device."""

    id: int
    name: DeviceName
    token: str
    line: str
    expires: float


class AddedDevice(Noun, frozen=True, omit_defaults=False):
    """A device that was added, and the token that lets it in."""

    name: DeviceName
    id: str
    transport: str
    enrollment: int
    token: str
    line: str
    expires: float


class ExpectedDevice(Noun, frozen=True, omit_defaults=False):
    """A device that may register now. ``line`` is what to type on it, empty while the registrar is off."""

    name: DeviceName
    id: str
    transport: str
    line: str


class UdpKey(Noun, frozen=True, omit_defaults=False):
    """A device's key for UDP in hexadecimal digits, this once."""

    name: DeviceName
    id: str
    key: str


class MasterKey(Taken, frozen=True):
    """The key from which all devices of an IotCenter 1 have theirs, in hexadecimal digits."""

    key: Annotated[str, Meta(pattern=r"^([0-9A-Fa-f]{2}){16,64}$(?!\n)")]


class NewUser(Taken, frozen=True):
    """Somebody who shall be able to sign in."""

    name: Word
    role: Role
    password: Password
    time_zone: Word = "UTC"


class UserChange(Taken, frozen=True):
    """What is to be another: the role or the password, one at a time, since one may be refused."""

    role: Role | None = None
    password: Password | None = None


class NewPassword(Taken, frozen=True):
    """Another password for who knows the ``current`` one."""

    current: Password
    password: Password


class PreferencesChange(Taken, frozen=True):
    """How somebody likes to see things; what is left out stays. ``language`` is a tag such as ``de``; empty: as their
    browser asks."""

    time_zone: Word | None = None
    hours: Hours | None = None
    units: UnitSystem | None = None
    theme: Theme | None = None
    language: Annotated[str, Meta(pattern=LANGUAGE)] | None = None


class ResetLinkAnswer(Noun, frozen=True, omit_defaults=False):
    """Where somebody gives themselves another password; it works once, until it ``expires``."""

    link: str
    expires: float


class NewSshKey(Taken, frozen=True):
    """A public key by which a user may come in over SSH: a line as in ``~/.ssh/id_ed25519.pub``."""

    key: Annotated[str, Meta(max_length=20_000)]


class SshKeyQuery(Taken, frozen=True):
    """Which key: ``SHA256:...``, as ``ssh-keygen -l`` shows it."""

    fingerprint: Annotated[str, Meta(max_length=64)]


class NewTunnel(Taken, frozen=True):
    """A port of this server that shall lead to the ``port`` of a device for ``lifetime`` seconds. ``listen`` is an
    address, a port or both; without it a free port of loopback is taken."""

    port: Port = 22
    lifetime: Annotated[float, Meta(ge=1, le=open_ports.MAX_LIFETIME)] = 3600.0
    listen: Annotated[str, Meta(max_length=64)] | None = None


class TunnelQuery(Taken, frozen=True):
    """Which ports: those that lead to this port of the device; all without it."""

    port: Port | None = None


class TunnelSession(Noun, frozen=True, omit_defaults=False):
    """A tunnel that stands: ``actor`` reaches the ``port`` of a device by the ``way`` that is said in words.

    ``sent`` and ``received`` are bytes, to the device and from it.
    """

    device: DeviceName
    port: int
    actor: str
    way: str
    since: float
    sent: int
    received: int


class SshConfigQuery(Taken, frozen=True):
    """For whom, and where they find the server."""

    user: Annotated[str, Meta(pattern=r"^[a-z0-9._@-]{1,64}$(?!\n)")] | None = None
    host: Annotated[str, Meta(pattern=r"^[A-Za-z0-9.:-]{1,253}$(?!\n)")] | None = None


class SshConfig(Noun, frozen=True, omit_defaults=False):
    """``config`` is for ``ssh -F`` or an Include, ``known_hosts`` the file that it names, ``jump`` goes behind
    ``-J``."""

    config: str
    known_hosts: str
    jump: str


class EventQuery(Taken, frozen=True):
    """Which events: at most ``limit``, older than the one with the id ``before``, of one kind, actor or object, between
    two times."""

    limit: Annotated[int, Meta(ge=1, le=MOST_EVENTS)] = 100
    before: Annotated[int, Meta(ge=1, le=2**63 - 1)] = 2**63 - 1
    kind: Word = ""
    actor: Word = ""
    object: Word = ""
    start: When = msgspec.field(name="from", default="0")
    end: When = msgspec.field(name="to", default="now")


class NewToken(Taken, frozen=True):
    """A way in for a program. ``expires`` is a time in Unix seconds, ``lifetime`` the same counted from now; without
    both, it lasts."""

    name: Word
    role: Role = Role.VIEWER
    expires: Annotated[float, Meta(ge=0, le=FAR_FUTURE)] | None = None
    lifetime: Annotated[float, Meta(gt=0, le=3660 * 86400.0)] | None = None


class IssuedToken(Noun, frozen=True, omit_defaults=False):
    """A token, this once."""

    name: str
    role: Role
    token: str
    expires: float | None


class SetupLinkAnswer(Noun, frozen=True, omit_defaults=False):
    """Where the first user is made; it works once, within 24 hours."""

    link: str


class NewRegistration(Taken, frozen=True):
    """A device that another registrar knew, as REGISTER would have it."""

    device_id: Word
    password: Password
    mac: Word
    ip: Word
    port: Annotated[int, Meta(ge=1, le=65535)]


class Registered(Noun, frozen=True, omit_defaults=False):
    """Whether a device was registered now, or was before."""

    device_id: str
    added: bool


class Status(Noun, frozen=True, omit_defaults=False):
    """How the server fares. ``storage`` is ``ok``, or says why nothing can be stored; ``notices`` are what its operator
    should see to; ``disk`` is the room for readings in bytes, with a forecast in words; ``transports`` has the port of
    each way for devices to come in; ``fingerprint`` is of the web's certificate, ``authority`` of the root that devices
    trust, ``configuration`` the file that it was started with.
    ``backup`` is ``ok``, ``off``, or says why none could be made by itself."""

    version: str
    uptime: float
    devices: int
    online: int
    late: int
    offline: int
    event_streams: int
    storage: str
    transports: dict[str, int]
    disk: Disk
    notices: tuple[str, ...]
    address: str
    fingerprint: str
    authority: str
    configuration: str
    backup: str


class ErrorDetail(Struct, frozen=True, omit_defaults=True):
    """What went wrong: a word for programs, a sentence for people, and what is wrong with single fields."""

    code: str
    message: str
    fields: dict[str, str] = {}
    incident: str = ""


class ErrorAnswer(Struct, frozen=True):
    """What every answer with a status of 400 and above bears."""

    error: ErrorDetail
