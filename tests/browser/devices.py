"""Devices that are made up: they offer what one tells them to, report what one tells them to, and obey."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred

from iotcenter.model import (
    Argument,
    ArgumentType,
    CommandOffer,
    LogLevel,
    LogLine,
    Message,
    Reading,
    Series,
    Value,
)
from iotcenter.storage.errors import StorageError
from iotcenter.web.parts import Parts
from iotcenter.wire import messages
from iotcenter.wire.codec import encode
from iotcenter.wire.messages import MAX_READINGS, File, FileAck, FileState, Hello, Log, Report, Result, ResultState
from tests.wire.test_joint import Recorder

SERIES = (
    Series("temperature", "Temperature", "Cel", 10.0, 1),
    Series("humidity", "Humidity", "%RH", 10.0, 0),
    Series("light", "Light", "lx", 10.0),
    Series("battery", "Battery", "V", 60.0, 2),
    Series("signal", "Signal", "dBm", 60.0, 0),
)

IDENTIFY = CommandOffer(
    "identify",
    "Identify",
    "Blinks, so that you find the device.",
    (
        Argument(
            "seconds", ArgumentType.INTEGER, "Seconds", required=False, default=10, minimum=1, maximum=60, unit="s"
        ),
    ),
)

RELAY = CommandOffer(
    "relay",
    "Switch relay",
    "Switches a relay output.",
    (
        Argument("channel", ArgumentType.CHOICE, "Channel", choices=("fan", "pump", "light"), default="fan"),
        Argument("on", ArgumentType.BOOLEAN, "On", default=True),
        Argument("duration", ArgumentType.DURATION, "For", "Switches back afterwards.", False, 60, 0, 3600),
    ),
)

EVERYTHING = CommandOffer(
    "everything",
    "Everything",
    "Has an argument of each kind.",
    (
        Argument("flag", ArgumentType.BOOLEAN, "Flag", "Ticked by default.", True, True),
        Argument("count", ArgumentType.INTEGER, "Count", minimum=0, maximum=10, default=3),
        Argument("level", ArgumentType.NUMBER, "Level", minimum=-1.5, maximum=1.5, default=0.5, unit="V"),
        Argument("name", ArgumentType.STRING, "Name", minimum=2, maximum=20),
        Argument("note", ArgumentType.TEXT, "Note", required=False),
        Argument("pin", ArgumentType.SECRET, "PIN", required=False),
        Argument("mode", ArgumentType.CHOICE, "Mode", choices=("eco", "comfort"), default="eco"),
        Argument("room", ArgumentType.CHOICE, "Room", choices=("attic", "cellar", "hall", "kitchen", "porch")),
        Argument("span", ArgumentType.DURATION, "Span", default=5400, minimum=60, maximum=86400),
        Argument("start", ArgumentType.DATETIME, "Start", required=False),
        Argument("colour", ArgumentType.COLOUR, "Colour", default="#ff8800"),
    ),
)

REBOOT = CommandOffer("reboot", "Reboot", "Restarts the whole machine: it is away for a minute.", confirm=True)


class MadeUpDevice:
    """One device, from the server's side: a link whose other end is here.

    ``answer`` is what it does with commands: what it returns is the result, and an exception a failure. ``silent``
    keeps it from answering at all. ``refuses`` is why it opens no tunnels, where it does not.
    """

    transport = "tls"
    heartbeat = 10.0

    def __init__(self, parts: Parts, name: str, id: str, address: str) -> None:
        self.name = name
        self.id = id
        self.address = address
        self.silent = False
        self.refuses = ""
        self.answer: Callable[[str, dict[str, Any]], Any] = lambda name, args: f"{name} done"
        self.got: list[messages.Command] = []
        self._parts = parts
        self._attachment: Any = None
        self._boot = secrets.randbits(31)
        self._sequence = 1
        self._stored: Deferred[None] = Deferred()

    def connect(
        self, series: Iterable[Series] = SERIES, commands: Iterable[CommandOffer] = (IDENTIFY, REBOOT), **hello: Any
    ) -> None:
        """Come in, with an offer."""
        agent = hello.pop("agent", "iotdevice/1.0")
        offer = Hello(agent, self._boot, tuple(series), tuple(commands), **hello)
        self._attachment = self._parts.center.attach(self.id, self, offer)

    def disconnect(self) -> None:
        """Go away."""
        self._attachment.detached("the connection was lost")

    def report(self, values: dict[str, Value], time: float | None = None) -> None:
        """Measure something."""
        now = self._parts.reactor.seconds()
        readings = tuple(Reading(name, value, now if time is None else time) for name, value in values.items())
        self._attachment.received(Report(self._boot, self._number(readings), readings, now))

    async def remember(self, readings: list[Reading]) -> None:
        """Have it that so much was reported in the past."""
        for start in range(0, len(readings), MAX_READINGS):
            part = tuple(readings[start : start + MAX_READINGS])
            stored: Deferred[StorageError | None] = Deferred()
            report = Report(self._boot, self._number(part), part)
            self._parts.store.readings.append(self.id, self._parts.reactor.seconds(), [encode(report)], stored.callback)
            assert await stored is None
        await self._parts.store.readings.settled()
        known = self._parts.center.devices.find(self.id)
        assert known is not None
        for reading in readings:
            known.newest(reading)

    def now(self) -> float:
        """The Unix time."""
        return float(self._parts.reactor.seconds())

    def log(self, level: LogLevel, text: str, time: float | None = None) -> None:
        """Log something."""
        at = self._parts.reactor.seconds() if time is None else time
        self._attachment.received(Log((LogLine(at, level, text),)))

    async def upload(
        self,
        content: bytes,
        name: str = "photo.png",
        media_type: str = "image/png",
        time: float = 0.0,
        command: int = 0,
    ) -> None:
        """Send a file; returns when the server has it."""
        digest = hashlib.sha256(content).digest()
        self._stored = Deferred()
        self._attachment.received(
            File(secrets.randbits(62), name, media_type, len(content), 0, content, digest, time, command)
        )
        await self._stored

    def send(self, message: Message) -> None:
        """The server sends something."""
        if isinstance(message, FileAck):
            assert message.state is FileState.STORED, message
            self._parts.reactor.callLater(0, self._stored.callback, None)
        if isinstance(message, messages.Command) and not self.silent:
            self.got.append(message)
            self._parts.reactor.callLater(0.05, self._obey, message)
        elif isinstance(message, messages.Tunnel) and message.action is messages.TunnelAction.OPEN:
            self._parts.reactor.callLater(0.05, self._dial, message)

    def close(self, code: str, reason: str) -> None:
        """The server ends the link."""
        self._parts.reactor.callLater(0, self._attachment.detached, reason)

    def _number(self, readings: tuple[Reading, ...]) -> int:
        """The sequence number of the first of ``readings``, which are the next ones."""
        first = self._sequence
        self._sequence += len(readings)
        return first

    def _dial(self, tunnel: messages.Tunnel) -> None:
        if self.refuses:
            self._attachment.received(messages.Tunnel(tunnel.id, messages.TunnelAction.CLOSE, 0, self.refuses))
        else:
            self._parts.center.meet(self.id, tunnel.id, Recorder())()

    def _obey(self, command: messages.Command) -> None:
        self._attachment.received(Result(command.id, ResultState.RECEIVED))
        self._parts.reactor.callLater(0.05, self._finish, command)

    def _finish(self, command: messages.Command) -> None:
        try:
            result = Result(command.id, ResultState.DONE, self.answer(command.name, command.args))
        except Exception as error:
            result = Result(command.id, ResultState.FAILED, error=str(error))
        self._attachment.received(result)


async def make_device(parts: Parts, name: str, address: str = "192.168.1.34") -> MadeUpDevice:
    """A device that is known, and has not connected yet."""
    row = await parts.accounts.add(name, "tls", "test")
    return MadeUpDevice(parts, name, row.id, address)
