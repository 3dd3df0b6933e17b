"""The seams of the house: what a transport is, and what it may ask of the rest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.x509 import Certificate
from msgspec import Struct
from twisted.application.service import IService
from twisted.logger import Logger
from twisted.plugin import IPlugin
from zope.interface import Attribute

from iotcenter.logs import activity
from iotcenter.model import DeviceId, Message


class Refused(Exception):
    """Somebody may not do what they asked for; the text says why, for the one who asked, and holds no secret."""


class Link(Protocol):
    """A way to one device that stands open: what the center needs of it, whatever carries the bytes."""

    @property
    def transport(self) -> str:
        """The name of the transport that carries it."""

    @property
    def address(self) -> str:
        """Where the device's packets come from, for people."""

    @property
    def heartbeat(self) -> float:
        """After how many seconds of silence either end asks whether the other lives; 0 where nobody asks."""

    def send(self, message: Message) -> None:
        """Send ``message``. Never blocks and never raises; what cannot be sent any more is dropped."""

    def close(self, code: str, reason: str) -> None:
        """Tell the device why, and end the link. ``code`` is one of ``iotcenter.wire.messages.CloseCode``."""


class Traffic(NamedTuple):
    """How many bytes came from a device over its link, and went to it."""

    received: int
    sent: int


@runtime_checkable
class Metered(Protocol):
    """A link that counts its bytes; others need not."""

    @property
    def traffic(self) -> Traffic:
        """What it has carried so far."""


class Attachment(Protocol):
    """One link of one device, as its transport sees the center."""

    def received(self, message: Message) -> None:
        """The device sent ``message``. Raises ``WireError`` where it has no business to send that."""

    def reports(self, reports: Sequence[Any], bodies: Sequence[bytes]) -> None:
        """The device sent reports, which came together; ``bodies`` are their MessagePack. ``received`` for many: it
        costs less."""

    def detached(self, reason: str) -> None:
        """The link is gone. Nothing may be received after this."""

    def listening(self) -> None:
        """A device that sleeps between its messages listens now: what waits for it may be sent."""

    def undelivered(self, commands: Collection[int]) -> None:
        """The device was not listening: the commands with these numbers wait until it does."""

    def takes_any_command(self) -> None:
        """The device cannot say which commands it offers: it is given whatever it is sent."""


class Center(Protocol):
    """Where devices' messages go."""

    def attach(self, device: DeviceId, link: Link, hello: Any) -> Attachment:
        """Make ``link`` the way to ``device`` after its ``Hello``; an older link of the same device is closed.

        ``hello`` is None where the device has not said anew what it offers. The center answers with ``Welcome`` over
        the link. Raises ``Refused`` for a device that it does not know.
        """

    def reports(self, arrived: Sequence[Any]) -> None:
        """Devices sent one report each, which came together: for each an attachment, the report, and its MessagePack.
        For transports that have those of many devices at once: it costs less."""

    def meet(self, device: DeviceId, id: bytes, far: Any) -> Callable[[], Any]:
        """``device`` dialled back, by the connection ``far``, for the tunnel that it was asked for with ``id``.

        Returns what joins the two and gives ``far`` its ``Half`` of the joint (see ``iotcenter.wire.joint``), to be
        called once ``far`` can be written to. Raises ``Refused`` where nobody waits for that.
        """

    def note(self, device: DeviceId, text: str) -> None:
        """Warn the owner of what happened to a device's safety: in the device's log, and among the events."""


PrivateKey = EllipticCurvePrivateKey | RSAPrivateKey
"""Ours are elliptic; an operator's own certificate for the web may be for an RSA key."""


@dataclass(frozen=True)
class Credentials:
    """What one end of TLS shows: its private key, and its certificate with those that vouch for it behind it."""

    key: PrivateKey
    chain: tuple[Certificate, ...]


class Authority(Protocol):
    """Whose certificates count."""

    root: Certificate
    """The root that signed every device's certificate, and the server's."""

    def server_credentials(self) -> Credentials:
        """What the server shows its devices now. The same object until it is renewed; then a new one."""


class Accounts(Protocol):
    """What devices prove themselves with."""

    udp: Any
    """The keys for UDP: ``iotcenter.identity.udp_keys.UdpKeys``."""

    def check(self, device: DeviceId, key: bytes) -> None:
        """Look ``device`` up in the allow-list. ``key`` is the SHA-256 of its public key (SubjectPublicKeyInfo, DER).

        Raises ``Refused``, in words for the device.
        """

    def watch(self, device: DeviceId, barred: Callable[[str], None]) -> Callable[[], None]:
        """Call ``barred(reason)`` once, when ``device`` may no longer come in. Returns a function that ends the
        watch."""

    def enroll(self, secret: bytes, request: bytes, agent: str) -> Awaitable[Any]:
        """Redeem the secret of an enrollment token for an ``Enrolled``. Raises ``Refused``."""

    def renew(self, device: DeviceId, request: bytes) -> Awaitable[bytes]:
        """A new certificate (DER) for the key on record, which the request (CSR, DER) must be for. Raises
        ``Refused``."""

    def take_in(self, device: DeviceId, key: bytes) -> Awaitable[None]:
        """Know a device of an old installation from now on, by its key. Raises ``Refused``."""

    def admit(self, name: str, transport: str) -> Awaitable[DeviceId]:
        """The device ``name``, for a transport that knows by itself who may come in; made where there is none.

        Raises ``Refused`` where the name belongs to a device of another transport, cannot be one, or was revoked.
        """


class Clock(Protocol):
    """What time it is, and timers. Dates come from here, lengths of time from the reactor's ``seconds``, which count
    from anywhere."""

    def seconds(self) -> float:
        """The time now, in Unix seconds."""

    def callLater(self, delay: float, callable: Callable[..., object], *args: Any, **kwargs: Any) -> Any:
        """Call after ``delay`` seconds."""


@dataclass(frozen=True)
class House:
    """What a transport may need of the house around it.

    ``reactor`` is Twisted's, or a test's; dates come from ``clock``. ``log`` is for whoever looks after the server; a
    warning in it is a refusal or a fault. ``activity`` is for the owner who follows what devices do: a line for each
    thing that one did.
    ``registrations`` is ``iotcenter.identity.registrations.Registrations``, for the transport that is named after it.
    """

    reactor: Any
    clock: Clock
    center: Center
    authority: Authority
    accounts: Accounts
    log: Logger
    activity: Logger = field(default_factory=activity)
    registrations: Any = None


class ITransport(IPlugin):
    """A way for devices to come in: a plugin in ``twisted/plugins/`` that the server finds by itself."""

    name: str = Attribute(
        "What it is called in the configuration, on the command line and on the pages: a lower-case word."
    )
    settings: type[Struct] = Attribute(
        "The struct of its table in the configuration. Its field 'listen' (a string, with a default) is what the flag"
        " --NAME sets: PORT, HOST:PORT, a Twisted endpoint string, or 'off'. A transport with more than one port has a"
        " property 'on', which says whether any of them is."
    )

    def makeService(settings: Struct, house: House) -> IService:
        """The service that takes devices in; it is not called where the transport is off."""
