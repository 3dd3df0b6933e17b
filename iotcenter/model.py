"""The nouns of IotCenter: what devices offer, measure and are told, as plain frozen structs.

The server and the device share this file. Times are Unix seconds (UTC) as floats, intervals are seconds.
Units are SenML's registered symbols (RFC 8428, section 12.1), such as ``Cel``, ``%RH`` and ``V``.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any

from msgspec import Meta, Struct

LARGEST = 1.7976931348623157e308
"""The largest finite double: a bound that keeps infinities out, and NaN too, since NaN compares with nothing."""

FAR_FUTURE = 253402300800.0
"""The year 10000: a bound on times, beyond which no calendar that we use can write them."""

Number = Annotated[float, Meta(ge=-LARGEST, le=LARGEST)]
Time = Annotated[float, Meta(ge=-FAR_FUTURE, le=FAR_FUTURE)]
Interval = Annotated[float, Meta(ge=0, le=366 * 86400.0)]
Counter = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Label = Annotated[str, Meta(max_length=64)]
Unit = Annotated[str, Meta(max_length=16)]

MAX_TEXT = 1024
"""The longest text that explains something, in characters."""

MAX_SHORT_TEXT = 255
"""The longest text that a reading holds: it is for states such as ``open``."""

MAX_LINE = 4096
"""The longest line of a device's log, in characters."""

MAX_RESULT = 64 * 1024
"""The longest result of a command, in bytes of JSON: what a person reads on a page."""

Text = Annotated[str, Meta(max_length=MAX_TEXT)]
ShortText = Annotated[str, Meta(max_length=MAX_SHORT_TEXT)]

SERIES_NAME = r"^[A-Za-z0-9][A-Za-z0-9:./_-]{0,63}$(?!\n)"
"""What a series may be called: SenML's alphabet for names (RFC 8428, section 4.5.1), up to 64 characters."""

DEVICE_NAME = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$(?!\n)"
"""What a device may be called: one DNS label, so that ``ssh pi@NAME`` and ``http://NAME`` work."""

IDENTIFIER = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$(?!\n)"
"""What commands and their arguments may be called: a Python identifier in ASCII."""

URL_PATH = r"^/[!-~]{0,255}$(?!\n)"
"""A path with its query, as HTTP has it: nothing in it ends the line."""

HOST_KEY = r"^(ssh-ed25519|ecdsa-sha2-nistp(256|384|521)|ssh-rsa) [A-Za-z0-9+/]{1,2000}={0,2}$(?!\n)"
"""A public host key of a device's SSH server as it stands in ``known_hosts``: its type and the key in Base64, and
nothing that could pass for another line."""

LANGUAGE = r"^([a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2})?$(?!\n)"
"""A language that pages can be in, as a tag of RFC 5646 such as ``de`` or ``pt-BR``; empty for none in particular."""

SeriesName = Annotated[str, Meta(pattern=SERIES_NAME)]
DeviceName = Annotated[str, Meta(pattern=DEVICE_NAME)]
Identifier = Annotated[str, Meta(pattern=IDENTIFIER)]
HostKey = Annotated[str, Meta(pattern=HOST_KEY)]
Port = Annotated[int, Meta(ge=1, le=65535)]
DeviceId = str
"""A device's identity that never changes: 128 bits as 32 hexadecimal digits in lower case."""

Value = Number | bool | ShortText
"""What a reading may hold: a number, a truth value, or a short text for states such as ``open``."""


def is_device_name(name: str) -> bool:
    """Whether ``name`` may be a device's name."""
    return re.fullmatch(DEVICE_NAME, name) is not None


def is_series_name(name: str) -> bool:
    """Whether ``name`` may be a series' name."""
    return re.fullmatch(SERIES_NAME, name) is not None


class Noun(Struct, frozen=True, omit_defaults=True):
    """The base of everything that both the wire and the JSON API carry; written as a map of its fields."""


class Message(Struct, frozen=True, array_like=True, tag_field="type"):
    """The base of the messages that a link carries; written as an array whose first element is the type."""


class AppState(StrEnum):
    """How the application on a device fares, as its agent sees it."""

    RUNNING = "running"
    FAILED = "failed"
    HUNG = "hung"
    MISSING = "missing"


class LogLevel(StrEnum):
    """How grave a line of a device's log is, in rising order."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """The place in the rising order, from 0."""
        return list(LogLevel).index(self)


class PresenceState(StrEnum):
    """Whether a device can be reached, and whether it reports as often as it said it would."""

    ONLINE = "online"
    LATE = "late"
    OFFLINE = "offline"


class ClockState(StrEnum):
    """What is known of a device's clock: it is right, or wrong by minutes, or there is none."""

    UNKNOWN = "unknown"
    RIGHT = "right"
    WRONG = "wrong"
    NONE = "none"


class Trend(StrEnum):
    """Where a series went in the last hour, against its own noise."""

    RISING = "rising"
    FALLING = "falling"
    STEADY = "steady"


class CommandState(StrEnum):
    """Where a command is on its way; the last four are final."""

    QUEUED = "queued"
    SENT = "sent"
    RECEIVED = "received"
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether nothing more can happen to a command in this state."""
        return self in (CommandState.DONE, CommandState.FAILED, CommandState.EXPIRED, CommandState.CANCELLED)


class Role(StrEnum):
    """What a user or an API token may do; each role may also do what the ones before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def covers(self, needed: Role) -> bool:
        """Whether this role may do what ``needed`` may."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


class Hours(StrEnum):
    """How somebody reads a clock: up to 12 or to 24, or as is usual where their browser's language is spoken."""

    AUTO = "auto"
    TWELVE = "12"
    TWENTY_FOUR = "24"


class UnitSystem(StrEnum):
    """In which units somebody reads values: in those that devices declare, or in these wherever they can be
    converted."""

    DECLARED = "declared"
    METRIC = "metric"
    IMPERIAL = "imperial"


class Theme(StrEnum):
    """Whether pages are light or dark for somebody; the system is that of their browser."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


class EventKind(StrEnum):
    """What kind of thing happened, of those that are kept with who did it."""

    SIGNED_IN = "user.signed_in"
    SIGN_IN_REFUSED = "user.refused"
    SIGNED_OUT = "user.signed_out"
    USER_ADDED = "user.added"
    USER_CHANGED = "user.changed"
    USER_REMOVED = "user.removed"
    TOKEN_CREATED = "token.created"
    TOKEN_REMOVED = "token.removed"
    SERVER_CHANGED = "server.changed"
    DEVICE_ADDED = "device.added"
    DEVICE_INVITED = "device.invited"
    DEVICE_RENAMED = "device.renamed"
    DEVICE_REVOKED = "device.revoked"
    DEVICE_REMOVED = "device.removed"
    DEVICE_WARNED = "device.warned"
    DEVICE_CHANGED = "device.changed"
    FILE_REMOVED = "file.removed"
    COMMAND_GIVEN = "command.given"
    COMMAND_ENDED = "command.ended"
    TUNNEL_OPENED = "tunnel.opened"
    TUNNEL_CLOSED = "tunnel.closed"
    TUNNEL_REFUSED = "tunnel.refused"
    PORT_OPENED = "port.opened"
    PORT_CLOSED = "port.closed"
    KEY_ADDED = "key.added"
    KEY_REMOVED = "key.removed"


class ArgumentType(StrEnum):
    """What kind of value a command's argument takes; it decides the form field that asks for it."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    STRING = "string"
    TEXT = "text"
    SECRET = "secret"
    CHOICE = "choice"
    DURATION = "duration"
    DATETIME = "datetime"
    COLOUR = "colour"


class Argument(Noun, frozen=True):
    """One argument of a command: what it takes, within which limits, and what it is when it is left out.

    ``minimum`` and ``maximum`` bound numbers, and the length of strings. A duration is in seconds, a datetime in
    Unix seconds, a colour ``#rrggbb``.
    """

    name: Identifier
    type: ArgumentType
    label: Label = ""
    help: Text = ""
    required: bool = True
    default: Number | bool | Text | None = None
    minimum: Number | None = None
    maximum: Number | None = None
    choices: Annotated[tuple[ShortText, ...], Meta(max_length=64)] = ()
    unit: Unit = ""


class CommandOffer(Noun, frozen=True):
    """A command that a device offers. ``confirm`` asks the sender to think twice: the command is dangerous."""

    name: Identifier
    label: Label = ""
    help: Text = ""
    arguments: Annotated[tuple[Argument, ...], Meta(max_length=32)] = ()
    confirm: bool = False


class Series(Noun, frozen=True):
    """A row of readings that a device offers.

    ``every`` is the interval that it means to keep, 0 where values come by themselves. ``decimals`` is how many to
    show; without it, three significant digits are.
    """

    name: SeriesName
    label: Label = ""
    unit: Unit = ""
    every: Interval = 0.0
    decimals: Annotated[int, Meta(ge=0, le=9)] | None = None


class Reading(Struct, frozen=True, array_like=True):
    """One value of one series at one time.

    A ``time`` below 2**28 counts from now (RFC 8428, section 4.5.3): a device without a clock sends ``-12.5`` for what
    it measured 12.5 seconds ago.
    """

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    value: Value
    time: Time = 0.0


class LogLine(Struct, frozen=True, array_like=True):
    """One line that a device logged. ``time`` is as in Reading."""

    time: Time
    level: LogLevel
    text: Annotated[str, Meta(max_length=MAX_LINE)]


class SshOffer(Noun, frozen=True, omit_defaults=False):
    """Which of its own ports a device lets tunnels reach, none where it lets none in, and its SSH server's public host
    keys."""

    ports: Annotated[tuple[Port, ...], Meta(max_length=16)] = ()
    host_keys: Annotated[tuple[HostKey, ...], Meta(max_length=8)] = ()


class VideoOffer(Noun, frozen=True, omit_defaults=False):
    """Live video of a device: Motion JPEG over HTTP, at a path on a port of its own."""

    port: Port
    path: Annotated[str, Meta(pattern=URL_PATH)] = "/"


class SeriesValue(Noun, frozen=True, omit_defaults=False):
    """A series as the API shows it: what the device said of it, and its newest value."""

    name: str
    label: str
    unit: str
    every: float = 0.0
    decimals: int | None = None
    value: Value | None = None
    time: float | None = None
    trend: Trend | None = None


class Account(Noun, frozen=True, omit_defaults=False):
    """What became of a device's readings: the server's side of the books.

    ``received`` were stored, ``late`` of them over a minute after they were measured. ``duplicates`` came again and
    changed nothing, ``refused`` can never be stored. ``lost`` is what the device says that it had to throw away.
    """

    received: int = 0
    duplicates: int = 0
    late: int = 0
    lost: int = 0
    refused: int = 0


class Photo(Noun, frozen=True, omit_defaults=False):
    """A photo of a device, by its id among the files, and when it was taken."""

    id: int
    time: float


class Device(Noun, frozen=True, omit_defaults=False):
    """A device as the API shows it. ``reason`` says in words why the state is not online, ``clock_offset`` by how many
    seconds its clock is ahead of the server's, ``photo`` which is its newest.
    ``expected`` is every how many seconds its owner expects to hear of it; 0: as often as it says itself."""

    name: DeviceName
    id: DeviceId
    transport: str
    state: PresenceState = PresenceState.OFFLINE
    reason: str = ""
    last_seen: float | None = None
    connected_since: float | None = None
    address: str = ""
    agent: str = ""
    app: AppState | None = None
    app_detail: str = ""
    created: float = 0.0
    revoked: bool = False
    clock: ClockState = ClockState.UNKNOWN
    clock_offset: float | None = None
    series: tuple[SeriesValue, ...] = ()
    commands: tuple[CommandOffer, ...] = ()
    ssh: SshOffer = SshOffer()
    account: Account = Account()
    photo: Photo | None = None
    expected: float = 0.0
    video: VideoOffer | None = None


class Command(Noun, frozen=True, omit_defaults=False):
    """A command that was given to a device, and what became of it.

    ``expires`` is the time until which it may wait for the device or for its answer. ``result`` is what the device's
    function returned, ``error`` what went wrong, in words.
    """

    id: int
    device: DeviceName
    name: str
    args: dict[str, Any]
    state: CommandState
    actor: str = ""
    created: float = 0.0
    changed: float = 0.0
    expires: float = 0.0
    result: Any = None
    error: str | None = None


class Event(Noun, frozen=True, omit_defaults=False):
    """Something that happened: what ``actor`` did to ``object``, a device mostly. ``text`` is for people, ``data`` for
    programs."""

    id: int
    time: float
    kind: str
    actor: str
    object: str
    text: str
    data: dict[str, Any] = {}


class OpenPort(Noun, frozen=True, omit_defaults=False):
    """A port of the server, ``listen_port`` on ``host``, that leads to the ``port`` of a device until it ``expires``.

    ``sent`` and ``received`` are bytes, to the device and from it.
    """

    id: int
    device: DeviceName
    port: int
    host: str
    listen_port: int
    actor: str
    opened: float
    expires: float
    connections: int
    sent: int
    received: int


class Preferences(Noun, frozen=True, omit_defaults=False):
    """How somebody likes to see things. ``language`` is a tag such as ``de``; empty: as their browser asks."""

    time_zone: Annotated[str, Meta(max_length=64)] = "UTC"
    hours: Hours = Hours.AUTO
    units: UnitSystem = UnitSystem.DECLARED
    theme: Theme = Theme.SYSTEM
    language: Annotated[str, Meta(pattern=LANGUAGE)] = ""


class User(Noun, frozen=True, omit_defaults=False):
    """Somebody who may sign in."""

    name: str
    role: Role
    created: float = 0.0
    preferences: Preferences = Preferences()
