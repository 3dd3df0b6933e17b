"""One SSH connection: key exchange and encryption are Conch's; here are its algorithms, deadlines and bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

from twisted.conch.ssh.service import SSHService
from twisted.conch.ssh.transport import SSHServerTransport
from twisted.internet.interfaces import IPushProducer
from twisted.logger import ILogObserver, LogEvent, Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from iotcenter.gateway.numbers import Disconnect, Message
from iotcenter.gateway.packets import Malformed
from iotcenter.sockets import keep_alive

if TYPE_CHECKING:
    from iotcenter.gateway.factory import GatewayFactory
    from iotcenter.gateway.userauth import Guest

SIGN_IN_WITHIN = 20.0
"""Seconds from the connection until somebody has shown who they are."""

GOODBYE_WITHIN = 1.0
"""Seconds that a closing connection has to take its last words."""

STRANGER_BUFFER = 64 * 1024
"""Bytes of an unfinished packet of somebody unknown: the list of algorithms is the longest (RFC 4253, section 6.1)."""

GUEST_BUFFER = 256 * 1024
"""The same of somebody known: packets of data have 32 kB."""

MAX_UNREAD = 256 * 1024
"""Bytes of answers that wait for a client which asks and asks, and reads nothing; then it is given up."""

SIGNATURES = (
    b"ssh-ed25519",
    b"ecdsa-sha2-nistp256",
    b"ecdsa-sha2-nistp384",
    b"ecdsa-sha2-nistp521",
    b"rsa-sha2-512",
    b"rsa-sha2-256",
)
"""How users may sign in."""

KEY_EXCHANGES = (b"mlkem768x25519-sha256", b"curve25519-sha256", b"curve25519-sha256@libssh.org")
"""In the order in which we prefer them; the first needs a newer version of ``cryptography`` than the others."""


def _quiet(event: LogEvent) -> None:
    """Conch logs what clients say, as long and as often as they say it: what matters is logged here."""


class Service(Protocol):
    """What runs over a connection, as far as this side cares."""

    def flow(self, writable: bool) -> None:
        """The client reads on, or reads no more for now."""


@implementer(IPushProducer)
class Transport(SSHServerTransport):
    """The server's end. ``guest`` is who signed in, None before."""

    _log = Logger(observer=cast(ILogObserver, _quiet))
    factory: GatewayFactory  # type: ignore[assignment]  # which is no SSHFactory: that brings the global reactor along
    service: Any
    ourVersionString = b"SSH-2.0-IotCenter"

    def __init__(self, host: str) -> None:
        self.supportedKeyExchanges = [
            name for name in KEY_EXCHANGES if name in SSHServerTransport.supportedKeyExchanges
        ]
        self.supportedPublicKeys = [b"ssh-ed25519"]
        self.supportedCiphers = [b"aes128-ctr", b"aes256-ctr", b"aes192-ctr"]
        self.supportedMACs = [b"hmac-sha2-256", b"hmac-sha2-512"]
        self.supportedCompressions = [b"none"]
        self.host = host
        self.guest: Guest | None = None
        self.leaving = False
        self._full = False
        self._flowing = True
        self._unread = 0
        self._deadline: Any = None

    @property
    def writable(self) -> bool:
        """Whether data may be sent: the client reads, and no keys are being exchanged."""
        return not self._full and self._keyExchangeState == self._KEY_EXCHANGE_NONE

    def connectionMade(self) -> None:
        """Somebody knocks."""
        self._tcp.setTcpNoDelay(True)
        keep_alive(self._tcp)
        self._tcp.registerProducer(self, True)
        self._deadline = self.factory.reactor.callLater(SIGN_IN_WITHIN, self._too_late)
        super().connectionMade()

    def connectionLost(self, reason: Failure | None = None) -> None:
        """The connection is gone."""
        self.leaving = True
        self._cancel_deadline()
        super().connectionLost(reason)
        self.factory.gone(self)

    def dataReceived(self, data: bytes) -> None:
        """Bytes came. Whatever is wrong with them ends this connection, and nothing else."""
        if self.leaving:
            return
        try:
            super().dataReceived(data)
            if len(self.buf) > (STRANGER_BUFFER if self.guest is None else GUEST_BUFFER):
                raise Malformed("a packet is too long")
        except Malformed as error:
            self.disconnect(Disconnect.PROTOCOL_ERROR, str(error))
        except Exception as error:
            # Conch runs into all kinds of exceptions where packets are not what they must be.
            self.factory.log.debug("A packet of {host}: {trace}", host=self.host, trace=Failure().getBriefTraceback())
            self.disconnect(Disconnect.PROTOCOL_ERROR, f"a packet cannot be understood ({type(error).__name__})")

    def dispatchMessage(self, messageNum: int, payload: bytes) -> None:
        """A packet came: those of services are only for connections that are encrypted, and between exchanges of
        keys."""
        if self.leaving:
            return
        if messageNum >= Message.USERAUTH_REQUEST or messageNum == Message.SERVICE_REQUEST:
            if not self.isEncrypted("both"):
                raise Malformed("the keys come first")
            if self._keyExchangeState != self._KEY_EXCHANGE_NONE:
                raise Malformed("nothing else may be said while keys are exchanged")
        super().dispatchMessage(messageNum, payload)

    def ssh_KEXINIT(self, packet: bytes) -> None:
        """Keys are to be exchanged: by strangers only once, since it costs us more than them."""
        if self.sessionID is not None and self.guest is None:
            raise Malformed("the keys were exchanged already")
        super().ssh_KEXINIT(packet)
        self._flow()

    def ssh_NEWKEYS(self, packet: bytes) -> None:
        """The client uses the new keys from now on, which there must be."""
        if self._keyExchangeState == self._KEY_EXCHANGE_NONE or not self.nextEncryptions.encBlockSize:
            raise Malformed("there are no new keys")
        super().ssh_NEWKEYS(packet)

    def _newKeys(self) -> None:
        super()._newKeys()
        self._flow()

    def sendExtInfo(self, extensions: list[tuple[bytes, bytes]]) -> None:
        """Say by which signatures users may sign in, where Conch says by which we do."""
        super().sendExtInfo([(b"server-sig-algs", b",".join(SIGNATURES))])

    def sendPacket(self, messageType: int, payload: bytes) -> None:
        """Send a packet. Data is held back by whoever has it; answers are bounded here."""
        if not self._flowing and messageType != Message.CHANNEL_DATA:
            self._unread += len(payload) + 64
            if self._unread > MAX_UNREAD:
                self.abort("it reads no answers")
        if not self.leaving or messageType == 1:
            super().sendPacket(messageType, payload)

    def receiveError(self, reasonCode: int, description: bytes) -> None:
        """The client says goodbye; ``connectionLost`` follows."""

    def receiveUnimplemented(self, seqnum: int) -> None:
        """The client did not understand something: nothing that is sent here needs to be."""

    def pauseProducing(self) -> None:
        """The client reads no more for now."""
        self._full = True
        self._flow()

    def resumeProducing(self) -> None:
        """The client reads again."""
        self._full = False
        self._flow()

    def stopProducing(self) -> None:
        """The connection goes; ``connectionLost`` follows."""

    def admit(self, guest: Guest) -> None:
        """Somebody has shown who they are."""
        self.guest = guest
        self._cancel_deadline()
        self.factory.strangers.remove(self)

    def succeed(self, service: SSHService) -> None:
        """Tell the guest that they are in; ``service`` takes what they say from now on."""
        self.sendPacket(Message.USERAUTH_SUCCESS, b"")
        self.setService(service)

    def make_way(self) -> None:
        """See ``Stranger``."""
        self.abort("it made way: too many connections have not signed in")

    def refuse(self, reason: str) -> None:
        """Turn somebody away, in words that they get and the log keeps."""
        self.disconnect(Disconnect.NO_MORE_METHODS, reason)

    def disconnect(self, code: Disconnect, reason: str) -> None:
        """Say why, and close."""
        if self.leaving:
            return
        self.leaving = True
        if code is not Disconnect.BY_APPLICATION:
            self.factory.complain(self.host, reason)
        self._cancel_deadline()
        self._deadline = self.factory.reactor.callLater(GOODBYE_WITHIN, self._tcp.abortConnection)
        self._tcp.unregisterProducer()
        self.sendDisconnect(code, reason.encode())

    def abort(self, reason: str) -> None:
        """Close without a word."""
        self.leaving = True
        self.factory.complain(self.host, reason)
        self._cancel_deadline()
        self._tcp.abortConnection()

    @property
    def _tcp(self) -> Any:
        return self.transport

    def _flow(self) -> None:
        """Tell the service where data may go on, or must not."""
        if self.writable == self._flowing:
            return
        self._flowing = self.writable
        if self._flowing:
            self._unread = 0
        if self.service is not None and self.guest is not None:
            self.service.flow(self._flowing)

    def _too_late(self) -> None:
        self.disconnect(Disconnect.NO_MORE_METHODS, f"nobody signed in within {SIGN_IN_WITHIN:g} s")

    def _cancel_deadline(self) -> None:
        deadline, self._deadline = self._deadline, None
        if deadline is not None and deadline.active():
            deadline.cancel()
