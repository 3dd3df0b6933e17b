"""The UDP port on which other devices reach this one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol

from iotcenter.wire.errors import WireError
from iotcenter.wire.registrar.packets import Packet
from iotdevice.registrar.answers import Answer, BadAnswer, Exchange
from iotdevice.registrar.peers import Peers
from iotdevice.registrar.ways import NoAnswer

PEER_WITHIN = 5.0
"""Seconds for a peer's answer."""


class PeerPort(DatagramProtocol):
    """Hears peers, answers them, and asks them. ``tell`` is given a line for each packet of theirs."""

    noisy = False

    def __init__(self, reactor: Any, wall: Callable[[], float], peers: Peers, tell: Callable[[str], None]) -> None:
        self._reactor = reactor
        self._wall = wall
        self._peers = peers
        self._tell = tell
        self._asked: dict[tuple[str, int], tuple[Exchange, Deferred[Answer]]] = {}

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        """A peer, or somebody else, sent something."""
        address = addr[0].removeprefix("::ffff:"), addr[1]
        try:
            heard = self._peers.received(datagram, self._wall())
        except WireError as error:
            self._tell(f"{address[0]}:{address[1]} sent something else: {error}")
            return
        if heard is None:
            return
        if heard.reply is not None:
            self._transport.write(heard.reply, addr)
        self._tell(heard.line)
        self._answered(datagram, address)

    async def ask(self, packet: Packet, address: tuple[str, int]) -> Answer:
        """The answer of the peer at ``address``. Raises ``WireError``, ``NoAnswer`` and ``BadAnswer``."""
        where = f"{address[0]}:{address[1]}"
        if address in self._asked:
            raise NoAnswer(f"{where} has not answered the last question yet")
        exchange, answer = Exchange(packet), Deferred[Answer]()
        self._asked[address] = exchange, answer
        late = self._reactor.callLater(
            PEER_WITHIN, answer.errback, NoAnswer(f"{where}: no answer within {PEER_WITHIN:g} s")
        )
        try:
            self._transport.write(exchange.sent, address)
            return await answer
        except OSError as error:
            raise NoAnswer(f"{where} cannot be reached: {error.strerror}") from None
        finally:
            del self._asked[address]
            if late.active():
                late.cancel()

    def _answered(self, datagram: bytes, address: tuple[str, int]) -> None:
        exchange, answer = self._asked.get(address, (None, None))
        if exchange is None or answer is None or answer.called:
            return
        try:
            found = exchange.answer(datagram)
        except BadAnswer:
            return  # a packet of its own that crossed our question
        answer.callback(found)

    @property
    def _transport(self) -> Any:
        return self.transport
