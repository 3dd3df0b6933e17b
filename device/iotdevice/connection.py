"""Keeps a link to the server, for as long as the agent runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater

from iotcenter.model import LogLevel
from iotcenter.wire.messages import CloseCode, Hello, Renew, Welcome
from iotdevice.channel import Channel, Speaker
from iotdevice.clock import Clock
from iotdevice.conversation import Conversation, Handlers
from iotdevice.credentials import Credentials
from iotdevice.devicelog import DeviceLog
from iotdevice.errors import describe
from iotdevice.link import End, Link
from iotdevice.network import LOOK_EVERY, NO_NETWORK
from iotdevice.pauses import Pauses
from iotdevice.renewal import Renewal
from iotdevice.tls import Handshakes
from iotdevice.trouble import Trouble

T = TypeVar("T")

Connect = Callable[[Handshakes], IStreamClientEndpoint]
"""Makes the way to the server over TLS, for one try."""

First = Callable[[], Hello | Renew]
Converse = Callable[[Any], Conversation]


class OpenLink(Protocol):
    """A link that stands, whatever carries it."""

    ended: Deferred[End]
    """Fires with how it ended, when it is gone."""

    def stop(self) -> None:
        """The agent stops: say so, and go."""


Dial = Callable[[Credentials, First, Converse], Deferred[Any]]
"""Opens a link; the Deferred fires with an ``OpenLink``. It is told who the device is, what to say first, and how to
converse."""

ADVICE = {
    CloseCode.REVOKED: "To take it in again, make a new token on the server, and run: iotdevice enroll TOKEN --replace",
    CloseCode.REPLACED: "Another agent uses this device's identity: is its data directory a copy?",
}
"""What the owner can do about an end that would come again and again. There is no hurry to try then."""


class Talk(NamedTuple):
    """What is said over a link: the first message, who speaks while it is open, and who takes what comes."""

    hello: Callable[[], Hello]
    speakers: Sequence[Speaker]
    handlers: Handlers


class Connection:
    """One link after the other, with growing pauses between them.

    ``network`` tells the state of this machine's network: where it changes during a pause, the pause is over.
    """

    def __init__(
        self,
        name: str,
        dial: Dial,
        clock: Clock,
        log: DeviceLog,
        renewal: Renewal,
        talk: Talk,
        pauses: Pauses,
        network: Callable[[], frozenset[Any]],
    ) -> None:
        self._dial = dial
        self._clock = clock
        self._renewal = renewal
        self._talk = talk
        self._handlers: Handlers = {**talk.handlers, Welcome: self._welcomed, Renew: renewal.received}
        self._pauses = pauses
        self._network = network
        self._trouble = Trouble(f"The link to {name}", clock, log)
        self._stopped = False
        self._link: OpenLink | None = None
        self._waiting: Deferred[Any] | None = None
        self._running: Deferred[None] | None = None

    def start(self) -> None:
        """Begin to connect, where that has not begun."""
        if self._running is None:
            self._running = Deferred.fromCoroutine(self._run())

    async def stop(self) -> None:
        """End the link, or the wait for one."""
        self._stopped = True
        if self._link is not None:
            self._link.stop()
        if self._waiting is not None:
            self._waiting.cancel()
        if self._running is not None:
            await self._running

    async def _run(self) -> None:
        while not self._stopped:
            try:
                await self._rest(await self._one_turn())
            except (CancelledError, ConnectingCancelledError):
                return

    async def _one_turn(self) -> float:
        """One link, from its beginning to its end; the answer is how long to wait for the next."""
        try:
            return self._judge(await self._one_link())
        except (CancelledError, ConnectingCancelledError):
            raise
        except Exception as error:  # a fault of the agent's own must not take the device off for good
            return self._judge(End(f"the agent itself failed: {describe(error)}", None, 0.0))

    async def _one_link(self) -> End:
        """Connect, and talk until the link ends."""
        credentials, renewing = self._renewal.credentials, self._renewal.expired
        try:
            link: OpenLink = await self._wait(self._dial(credentials, self._first, self._converse))
        except (CancelledError, ConnectingCancelledError):
            raise
        # Whatever it is that keeps a device from its server, it tries again: nobody is there to start it anew.
        except Exception as error:
            return End(f"the server cannot be reached: {str(error).rstrip('.')}", None, 0.0)
        self._link = link
        end = await link.ended
        self._link = None
        self._renewal.judged(end.code, credentials, renewing)
        return end

    def _judge(self, end: End) -> float:
        """Log how a link ended; the answer is how long to wait for the next."""
        advice = ADVICE.get(end.code) if end.code is not None else None
        if advice:
            self._trouble.failed(f"{end.reason}. {advice}")
        elif not self._stopped:
            self._trouble.failed(end.reason, LogLevel.WARNING)
        return self._pauses.longest() if advice else self._pauses.next(end.worked)

    async def _rest(self, seconds: float) -> None:
        """Wait for ``seconds``, or until the network is another than now."""
        before, until = self._network(), self._clock.now() + seconds
        while not self._stopped and (left := until - self._clock.now()) > 0:
            await self._wait(deferLater(self._clock.steady, min(left, LOOK_EVERY)))
            if self._network() not in (before, NO_NETWORK):
                return

    async def _wait(self, waiting: Deferred[T]) -> T:
        """Wait for something that ``stop`` cancels."""
        self._waiting = waiting
        try:
            return await waiting
        finally:
            self._waiting = None

    def _first(self) -> Hello | Renew:
        return self._renewal.request() if self._renewal.expired else self._talk.hello()

    def _converse(self, link: Channel) -> Conversation:
        return Conversation(link, [*self._talk.speakers, self._renewal], self._handlers, self._clock.now)

    def _welcomed(self, welcome: Welcome) -> None:
        self._trouble.worked()
        if Welcome in self._talk.handlers:
            self._talk.handlers[Welcome](welcome)


def over_tls(connect: Connect, clock: Clock) -> Dial:
    """Opens links over TLS."""

    def dial(credentials: Credentials, first: First, converse: Converse) -> Deferred[Any]:
        handshakes = Handshakes.for_link(credentials, clock.wall())
        factory = Factory.forProtocol(lambda: Link(clock.steady, handshakes, first, converse))
        factory.noisy = False
        return connect(handshakes).connect(factory)

    return dial
