"""The registrar's ports: streams with or without TLS, and datagrams. What a packet means is the desk's business."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IPushProducer
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from iotcenter.identity.strangers import Strangers
from iotcenter.interfaces import House
from iotcenter.listening import plain_address
from iotcenter.transports.registrar_desk import Desk
from iotcenter.transports.registrar_sessions import SILENCE, Sender
from iotcenter.wire.errors import WireError
from iotcenter.wire.registrar.stream import PacketReader

FIRST_PACKET_WITHIN = 20.0
"""Seconds from the connection to its first packet, TLS included: a byte now and then does not buy more."""

LOGIN_WITHIN = 60.0
"""Seconds from a packet to the next where nobody logged in by the connection: time to answer and to ask again."""

MAX_STRANGERS = 2000
"""The most connections that have not shown who they are."""

MAX_STRANGERS_EACH = 500
"""The same from one source, behind which a whole site of devices may be."""

STAYED = 10.0
"""Seconds from LOGIN on that tell a client which keeps its connection from one which makes a new one for each packet:
that waits for the answer alone."""

MOST_WAITING = 16
"""Packets of one connection that wait while one is handled; past that nothing is read from it."""

MOST_DATAGRAMS = 256
"""Datagrams that are handled at a time; what comes then is lost, as datagrams are."""

MOST_DATAGRAMS_EACH = 16
"""The same from one address, lest one sender keeps all others out."""


@implementer(IPushProducer)
class PacketConnection(Protocol):
    """A connection: its packets are answered one after another. From who reads no answers nothing more is read."""

    def __init__(self, factory: PacketFactory, host: str, port: int) -> None:
        self.host = host
        self.lost = False
        self._service = factory
        self._port = port
        self.packets = 0
        """How many came so far."""
        self._reader = PacketReader()
        self._waiting: deque[bytes] = deque()
        self._busy = False
        self._full = False
        self._patience = LOGIN_WITHIN
        self._welcomed: float | None = None
        self._deadline: Any = None
        self._silence: Any = None

    def connectionMade(self) -> None:
        """Somebody came; TLS, where there is any, is still to be done."""
        self._deadline = self._service.house.reactor.callLater(FIRST_PACKET_WITHIN, self._transport.abortConnection)
        self._transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        """Packets came, or parts of one."""
        if self._transport.disconnecting:
            return
        self._stop_waiting()
        try:
            self._take(self._reader.receive(data))
        except WireError as error:
            self._service.desk.log.complain(self._sender, str(error))
            self._leave()
            return
        if self._reader.patience is not None:
            self._silence = self._service.house.reactor.callLater(self._reader.patience, self._silent)
        if len(self._waiting) >= MOST_WAITING:
            self._transport.pauseProducing()

    def connectionLost(self, reason: Failure = Failure(ConnectionError())) -> None:  # noqa: B008
        """The connection is gone."""
        self.lost = True
        if self._deadline.active():
            self._deadline.cancel()
        self._stop_waiting()
        self._waiting.clear()
        self._service.gone(self)

    def pauseProducing(self) -> None:
        """The client does not read: an answer is ten times as long as the shortest packet, so no more are taken."""
        self._full = True
        self._transport.pauseProducing()

    def resumeProducing(self) -> None:
        """The client reads again."""
        self._full = False
        if len(self._waiting) <= MOST_WAITING // 2:
            self._transport.resumeProducing()

    def stopProducing(self) -> None:
        """The connection goes; ``connectionLost`` follows."""

    def make_way(self) -> None:
        """See ``Stranger``."""
        self._transport.abortConnection()

    def welcome(self) -> None:
        """See ``Connection``."""
        self._patience = SILENCE
        self._welcomed = self._service.house.reactor.seconds()
        self._service.known(self)

    @property
    def kept(self) -> bool:
        """Whether its client keeps it, for more than one packet."""
        now = self._service.house.reactor.seconds()
        return self.packets > 1 or (self._welcomed is not None and now - self._welcomed > STAYED)

    @property
    def _sender(self) -> Sender:
        return Sender(self.host, self._port, self._service.way, self, alone=self.packets <= 1)

    @property
    def _transport(self) -> Any:
        return self.transport

    def _silent(self) -> None:
        self._silence = None
        self._take([self._reader.silence()])

    def _stop_waiting(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None

    def _take(self, packets: list[bytes]) -> None:
        self._waiting.extend(packets)
        if self._waiting and not self._busy:
            self._busy = True
            Deferred.fromCoroutine(self._work()).addErrback(self._failed)

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._handle(self._waiting.popleft())
                if len(self._waiting) == MOST_WAITING // 2 and not self._full:
                    self._transport.resumeProducing()
        finally:
            self._busy = False

    async def _handle(self, packet: bytes) -> None:
        self.packets += 1
        try:
            answer = await self._service.desk.answer(packet, self._sender)
        except WireError:
            self._waiting.clear()
            self._leave()
            return
        if answer is not None:
            self._transport.write(answer + b"\n" if self._reader.lines else answer)
        if self._deadline.active():
            self._deadline.reset(self._patience)

    def _failed(self, failure: Failure) -> None:
        self._service.house.log.failure("A packet of {sender} could not be handled", failure, sender=self._sender)
        self._leave()

    def _leave(self) -> None:
        """Close, once the answers are out: the deadline goes on."""
        self._transport.unregisterProducer()
        self._transport.loseConnection()


class PacketFactory(Factory):
    """Makes connections, and bounds those by which nobody logged in. ``way`` is ``tls`` or ``tcp``."""

    noisy = False

    def __init__(self, house: House, desk: Desk, way: str) -> None:
        self.house = house
        self.desk = desk
        self.way = way
        self._strangers = Strangers(MAX_STRANGERS, MAX_STRANGERS_EACH)
        self._open: set[PacketConnection] = set()
        self._all_gone: Deferred[None] | None = None

    def buildProtocol(self, addr: IAddress | None) -> PacketConnection:
        """A connection for ``addr``."""
        connection = PacketConnection(self, plain_address(getattr(addr, "host", "local")), getattr(addr, "port", 0))
        connection.factory = self
        self._open.add(connection)
        self._strangers.add(connection)
        return connection

    def known(self, connection: PacketConnection) -> None:
        """Somebody logged in by ``connection``."""
        self._strangers.remove(connection)

    def gone(self, connection: PacketConnection) -> None:
        """``connection`` is closed. Who logged in by it is logged off, unless it was made for that packet alone."""
        self._open.discard(connection)
        self._strangers.remove(connection)
        if connection.kept:
            self.desk.sessions.connection_lost(connection)
        if not self._open and self._all_gone is not None:
            self._all_gone.callback(None)
            self._all_gone = None

    async def close(self) -> None:
        """End every connection; done when the last is gone."""
        for connection in tuple(self._open):
            connection.make_way()
        if self._open:
            self._all_gone = Deferred()
            await self._all_gone


class PacketDatagrams(DatagramProtocol):
    """The original clients' UDP: a datagram is a packet, and so is its answer."""

    noisy = False

    def __init__(self, house: House, desk: Desk) -> None:
        self._house = house
        self._desk = desk
        self._handled: Counter[str] = Counter()
        """How many of each sender's datagrams are being handled."""

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        """A packet came, or something else."""
        sender = Sender(plain_address(addr[0]), addr[1], "udp")
        if self._handled[sender.host] >= MOST_DATAGRAMS_EACH or self._handled.total() >= MOST_DATAGRAMS:
            self._desk.log.complain(sender, "a datagram is lost: too many of them came at once")
            return
        self._handled[sender.host] += 1
        Deferred.fromCoroutine(self._handle(datagram, sender, addr)).addErrback(self._failed)

    async def _handle(self, datagram: bytes, sender: Sender, addr: tuple[str, int]) -> None:
        try:
            answer = await self._desk.answer(datagram, sender)
        except WireError:
            return  # the log has it; who sent it may not even be who it seems
        finally:
            self._handled[sender.host] -= 1
            if not self._handled[sender.host]:
                del self._handled[sender.host]
        if answer is not None and self.transport is not None:
            self.transport.write(answer, addr)

    def _failed(self, failure: Failure) -> None:
        self._house.log.failure("A datagram could not be handled", failure)
