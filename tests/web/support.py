"""A whole web on a loopback port, before a real center, identity and database, and a small browser to ask it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
from argon2 import PasswordHasher
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.trial.unittest import TestCase

from iotcenter.center.center import Center
from iotcenter.center.links import DeviceLink
from iotcenter.identity.accounts import Accounts
from iotcenter.identity.authority import Authority
from iotcenter.identity.enrollment import Enrollments
from iotcenter.identity.passwords import Passwords
from iotcenter.identity.registrations import Registrations
from iotcenter.identity.resets import ResetLinks
from iotcenter.identity.sessions import Sessions
from iotcenter.identity.setup import SetupLink
from iotcenter.identity.ssh_keys import SshKeys
from iotcenter.identity.tokens import ApiTokens
from iotcenter.identity.users import Users
from iotcenter.identity.web_certificate import WebCertificate
from iotcenter.model import Argument, ArgumentType, CommandOffer, Message, Reading, Role, Series
from iotcenter.storage.store import Store
from iotcenter.web.assets import Assets
from iotcenter.web.doors import Door
from iotcenter.web.parts import Parts, Ports
from iotcenter.web.principal import cookie_name
from iotcenter.web.site import BoundedSite, make_serving
from iotcenter.web.streams import Streams
from iotcenter.wire.messages import Ack, Hello, Report, Tunnel, TunnelAction
from tests.web.wire import Answer, Wire, parse
from tests.wire.test_joint import Recorder

PASSWORD = "correct horse battery"

HELLO = Hello(
    agent="test/1",
    boot=1,
    series=(Series("temperature", unit="Cel", every=10.0), Series("door")),
    commands=(
        CommandOffer("identify", arguments=(Argument("seconds", ArgumentType.INTEGER, maximum=60.0),)),
        CommandOffer("reboot", confirm=True),
    ),
)


@dataclass(frozen=True)
class Visitor:
    """Somebody who asks: the headers that say who, and the token of their session's forms."""

    headers: Mapping[str, str]
    csrf: str = ""


NOBODY = Visitor({})


class FakeLink:
    """A device's link that keeps what it is told. ``dials`` is what the device does when it is asked for a tunnel."""

    transport = "tls"
    address = "192.0.2.7"
    heartbeat = 10.0

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.closed: tuple[str, str] | None = None
        self.acknowledged: Deferred[None] = Deferred()
        self.dials: Callable[[Tunnel], object] = lambda tunnel: None

    def send(self, message: Message) -> None:
        """Keep ``message``."""
        self.sent.append(message)
        if isinstance(message, Ack):
            acknowledged, self.acknowledged = self.acknowledged, Deferred()
            acknowledged.callback(None)
        if isinstance(message, Tunnel) and message.action is TunnelAction.OPEN:
            self.dials(message)

    def close(self, code: str, reason: str) -> None:
        """Note why."""
        self.closed = code, reason


class WebTestCase(TestCase):
    """Has a server whose web listens on a loopback port, by the door of the class."""

    door = Door.HTTP

    async def setUp(self) -> None:  # type: ignore[override]
        """Open everything."""
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.store = Store(self.directory, reactor)
        self.store.open()
        self.authority = Authority.open(self.directory, self.reactor.seconds)
        self.accounts = Accounts(self.store, self.authority, self.reactor.seconds)
        await self.accounts.load()
        self.center = Center(self.store, self.accounts, self.reactor)
        await self.center.load()
        self.center.start()
        self.parts = self.make_parts()
        self.site = BoundedSite(make_serving(self.parts), self.door, self.reactor)
        self.port = self.listen(self.site)
        self.wires: list[Wire] = []

    def make_parts(self) -> Parts:
        """What the site is made of. Passwords are hashed as cheaply as can be."""
        seconds = self.reactor.seconds
        cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        passwords = Passwords(self.reactor, cheap)
        users = Users(self.store, self.reactor, passwords)
        assets = Assets.load()
        return Parts(
            reactor=self.reactor,
            clock=self.reactor,
            center=self.center,
            store=self.store,
            authority=self.authority,
            accounts=self.accounts,
            enrollments=Enrollments(self.store, self.authority, seconds),
            registrations=Registrations(self.store, self.accounts, passwords, seconds),
            users=users,
            sessions=Sessions(self.store, seconds),
            tokens=ApiTokens(self.store, seconds),
            ssh_keys=SshKeys(self.store, seconds),
            setup_link=SetupLink(self.store, users, seconds),
            reset_links=ResetLinks(self.store, users, seconds),
            web_certificate=WebCertificate.open(self.directory, self.authority, seconds),
            assets=assets,
            streams=Streams(self.reactor, self.center.subscribers, self.center.devices, assets.build),
            ports=Ports(
                https=("127.0.0.1", 8443),
                http=("127.0.0.1", 8080),
                ssh=("127.0.0.1", 8022),
                transports={"tls": ("127.0.0.1", 9998)},
            ),
        )

    def listen(self, site: BoundedSite) -> Any:
        """Open a port for ``site``."""
        return self.reactor.listenTCP(0, site, interface="127.0.0.1")

    async def tearDown(self) -> None:  # type: ignore[override]
        """Close everything."""
        for wire in self.wires:
            await wire.close()
        await maybeDeferred(self.port.stopListening)
        self.parts.streams.stop()
        self.parts.users.close()
        self.center.stop()
        await self.store.close()

    async def connect(self) -> Wire:
        """A connection to the server."""
        endpoint = TCP4ClientEndpoint(self.reactor, "127.0.0.1", self.port.getHost().port)
        wire: Wire = await connectProtocol(endpoint, Wire())
        self.wires.append(wire)
        return wire

    def held(self) -> int:
        """How many bytes wait in the server for the one connection that it has."""
        [connection] = self.site.connections
        transport: Any = connection.transport  # type: ignore[attr-defined]
        return len(transport.dataBuffer) + int(transport._tempDataLen)

    async def most_held(self) -> int:
        """The most bytes that ever wait for the one connection, until it is gone."""
        most = 0
        while len(self.site.connections):
            most = max(most, self.held())
            await self.store.devices.all()
        return most

    async def ask(
        self,
        method: str,
        path: str,
        visitor: Visitor = NOBODY,
        *,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request and read its answer; what changes something bears the token of the visitor's session."""
        sent = {"Host": f"127.0.0.1:{self.port.getHost().port}", "Connection": "close", **visitor.headers}
        if json is not None:
            body, sent["Content-Type"] = msgspec.json.encode(json), "application/json"
        if form is not None:
            fields = {"csrf": visitor.csrf, **form} if visitor.csrf else form
            body, sent["Content-Type"] = urlencode(fields).encode(), "application/x-www-form-urlencoded"
        elif visitor.csrf and method not in ("GET", "HEAD"):
            sent["X-CSRF-Token"] = visitor.csrf
        if body or method not in ("GET", "HEAD"):
            sent["Content-Length"] = str(len(body))
        sent |= headers or {}
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        wire = await self.connect()
        wire.write(head.encode() + b"\r\n" + body)
        return parse(await wire.lost)

    async def watch(self, visitor: Visitor) -> Wire:
        """A stream of events that has begun."""
        wire = await self.connect()
        head = "".join(f"{name}: {value}\r\n" for name, value in visitor.headers.items())
        wire.write(f"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n{head}\r\n".encode())
        await wire.until(b"event: snapshot")
        return wire

    async def user(self, role: Role, name: str = "") -> Visitor:
        """A browser in which a user of that role is signed in."""
        user = await self.parts.users.add(name or role.value, role, PASSWORD)
        secret = await self.parts.sessions.create(user.name)
        session = await self.parts.sessions.find(secret)
        assert session is not None
        return Visitor({"Cookie": f"{cookie_name(self.door)}={secret}"}, session.csrf)

    async def program(self, role: Role, name: str = "") -> Visitor:
        """A program with an API token of that role."""
        secret = await self.parts.tokens.create(name or f"{role.value} program", role)
        return Visitor({"Authorization": f"Bearer {secret}"})

    async def device(self, name: str = "kitchen-pi", hello: Hello = HELLO) -> tuple[FakeLink, DeviceLink]:
        """A device with an open link."""
        row = await self.accounts.add(name, "tls", "ann")
        self.center.devices.admit(row)
        link = FakeLink()
        attachment = self.center.attach(row.id, link, hello)
        link.sent.clear()
        link.dials = lambda tunnel: self.center.meet(row.id, tunnel.id, Recorder())()
        return link, attachment

    async def report(self, attachment: DeviceLink, *readings: Reading, sequence: int = 1) -> None:
        """Have a device report readings, and wait until they are stored."""
        assert isinstance(attachment.link, FakeLink)
        acknowledged = attachment.link.acknowledged
        attachment.received(Report(boot=1, sequence=sequence, readings=readings))
        await acknowledged
        await self.store.readings.settled()
