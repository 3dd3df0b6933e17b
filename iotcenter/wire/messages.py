"""The messages of every transport.

Each is a MessagePack array: the type's number, then the fields in order. Fields at the end that a reader does not know
are ignored, and fields that the sender left out take their defaults, so that versions mix.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from msgspec import Meta, Struct

from iotcenter.model import (
    AppState,
    CommandOffer,
    Counter,
    Identifier,
    Interval,
    LogLine,
    Message,
    Reading,
    Series,
    ShortText,
    SshOffer,
    Text,
    Time,
    VideoOffer,
)

MAX_READINGS = 1000
"""The most readings in one report: some 30 kB, so that one frame never holds the reactor for long."""

MAX_SERIES = 256
MAX_OFFERS = 64
"""How many series and commands a device may offer."""

MAX_LINES = 100
"""The most lines of log in one message."""

MAX_CHUNK = 128 * 1024
"""The most bytes of a file in one message. A device sends one at a time, and smaller ones where the link is slow."""

MAX_COMMANDS = 16
"""The most commands under way on one device. The server sends no more before one of them ends, and a device refuses
more: a queue belongs where its owner sees it."""

# ``gc=False`` is for what comes with every reading: it refers to nothing that could refer back to it, so looking for
# garbage among it finds none.

Certificate = Annotated[bytes, Meta(max_length=8192)]
Boot = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Sequence = Annotated[int, Meta(ge=1, le=2**32 - 1)]


class Hello(Message, frozen=True, tag=1):
    """A device says who it is and what it offers; sent first on a link, and again whenever the offer changes.

    ``heartbeat`` is the longest silence in seconds that the device wishes for its link (0: whatever the server has),
    ``lost`` how many readings it ever had to throw away because its spool was full, ``ssh`` what tunnels may reach,
    ``video`` where its camera is.
    """

    agent: ShortText = ""
    boot: Boot = 0
    series: Annotated[tuple[Series, ...], Meta(max_length=MAX_SERIES)] = ()
    commands: Annotated[tuple[CommandOffer, ...], Meta(max_length=MAX_OFFERS)] = ()
    app: AppState = AppState.RUNNING
    app_detail: Text = ""
    heartbeat: Annotated[float, Meta(ge=0, le=3600)] = 0.0
    lost: Counter = 0
    ssh: SshOffer = SshOffer()
    video: VideoOffer | None = None


class Welcome(Message, frozen=True, tag=2):
    """The server takes the device in. ``heartbeat`` is the silence after which either side asks whether the other
    lives, ``files`` how many bytes the largest file may have that the server takes: 0 where it takes none."""

    name: str
    id: str
    time: Time
    heartbeat: Interval
    agent: ShortText = ""
    files: Counter = 0


class Report(Message, frozen=True, gc=False, tag=3):
    """Readings, numbered one by one from ``sequence`` within the device's ``boot``.

    ``time`` is the device's own clock when it sent the report, 0 where it has none: the server sets the readings right
    by it.
    """

    boot: Boot
    sequence: Sequence
    readings: Annotated[tuple[Reading, ...], Meta(min_length=1, max_length=MAX_READINGS)]
    time: Time = 0.0


class Refusal(Struct, frozen=True, array_like=True):
    """A reading that will never be stored, and why."""

    sequence: int
    reason: Text


class Ack(Message, frozen=True, gc=False, tag=4):
    """``count`` readings from ``sequence`` on are on disk, or refused for good: the device may forget them."""

    boot: Boot
    sequence: Sequence
    count: Annotated[int, Meta(ge=1)]
    refused: tuple[Refusal, ...] = ()


class Busy(Message, frozen=True, tag=5):
    """The readings from ``sequence`` on could not be stored now; the device keeps them and sends again after ``retry``
    seconds."""

    boot: Boot
    sequence: Sequence
    retry: Interval
    reason: Text = ""


class Command(Message, frozen=True, tag=6):
    """Run the function ``name``. The same ``id`` may come twice; it takes effect once."""

    id: Counter
    name: Identifier
    args: dict[str, Any] = {}


class ResultState(StrEnum):
    """What a device says of a command."""

    RECEIVED = "received"
    DONE = "done"
    FAILED = "failed"


class Result(Message, frozen=True, tag=7):
    """What became of a command: it was received, and later done (``result`` holds what it returned) or failed
    (``error``)."""

    id: Counter
    state: ResultState
    result: Any = None
    error: Text | None = None


class Log(Message, frozen=True, tag=8):
    """Lines of the device's log, oldest first."""

    lines: Annotated[tuple[LogLine, ...], Meta(min_length=1, max_length=MAX_LINES)]


class File(Message, frozen=True, tag=9):
    """A piece of a photo or another upload: ``data`` belongs at ``offset`` of the ``size`` bytes of the file ``id``.

    The device chooses ``id`` so that it never comes again, and sends the next piece when it has the ``FileAck`` of the
    last; one without data asks how much the server has. ``digest`` is the SHA-256 of the whole. ``time`` is when the
    file was made, as in ``Reading``, 0 where the device does not know. ``command`` is what it is the result of, 0 for
    nothing.
    """

    id: Counter
    name: ShortText
    media_type: ShortText
    size: Counter
    offset: Counter
    data: Annotated[bytes, Meta(max_length=MAX_CHUNK)]
    digest: Annotated[bytes, Meta(max_length=32)] = b""
    time: Time = 0.0
    command: Counter = 0


class FileState(StrEnum):
    """What a server says of a file."""

    WANTED = "wanted"
    STORED = "stored"
    REFUSED = "refused"
    BUSY = "busy"


class FileAck(Message, frozen=True, tag=17):
    """The bytes of the file ``id`` from ``offset`` on are wanted; or all of it is on disk, or will never be taken, or
    cannot be taken now, which the device tries again after ``retry`` seconds."""

    id: Counter
    state: FileState
    offset: Counter = 0
    retry: Interval = 0.0
    reason: Text = ""


class TunnelAction(StrEnum):
    """What is to happen to a tunnel."""

    OPEN = "open"
    CLOSE = "close"


class Tunnel(Message, frozen=True, tag=10):
    """The device shall dial back with ``id`` and join the connection to its own ``port``, or give the tunnel up.

    Over its link the device answers with one that closes, and the reason, where it cannot. On the connection that it
    dials, each side first says ``OPEN``; all that follows is a stream (``iotcenter.wire.stream``).
    """

    id: Annotated[bytes, Meta(min_length=16, max_length=32)]
    action: TunnelAction
    port: Annotated[int, Meta(ge=0, le=65535)] = 0
    reason: Text = ""


class Renew(Message, frozen=True, tag=11):
    """A certificate for the key on record: the device asks with ``request`` (a CSR in DER), the server answers with
    ``certificate``."""

    request: Certificate = b""
    certificate: Certificate = b""


class Ping(Message, frozen=True, tag=12):
    """Are you there?"""


class Pong(Message, frozen=True, tag=13):
    """I am."""


class CloseCode(StrEnum):
    """Why a link ends, for the program at the other end."""

    REFUSED = "refused"
    REVOKED = "revoked"
    EXPIRED = "expired"
    REPLACED = "replaced"
    PROTOCOL = "protocol"
    SILENT = "silent"
    STOPPING = "stopping"
    USED = "used"


class Close(Message, frozen=True, tag=14):
    """The link ends now; ``reason`` is for a person."""

    code: CloseCode
    reason: Text = ""


class Enroll(Message, frozen=True, tag=15):
    """A new device shows the one-time secret of its token and asks for a certificate for the key that it made."""

    secret: Annotated[bytes, Meta(min_length=16, max_length=32)]
    request: Certificate
    agent: ShortText = ""


class Enrolled(Message, frozen=True, tag=16):
    """The device is known from now on: its certificate and the root's (both DER), and its key for UDP."""

    name: str
    id: str
    certificate: Certificate
    root: Certificate
    udp_key: Annotated[bytes, Meta(max_length=32)] = b""


ANY = (
    Hello
    | Welcome
    | Report
    | Ack
    | Busy
    | Command
    | Result
    | Log
    | File
    | FileAck
    | Tunnel
    | Renew
    | Ping
    | Pong
    | Close
    | Enroll
    | Enrolled
)
