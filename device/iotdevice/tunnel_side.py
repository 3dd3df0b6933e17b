"""What the two connections of a tunnel have in common on the device: the one to the server, the one to a port here."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol
from zope.interface import implementer

from iotcenter.wire.joint import DRAIN_WITHIN, Half
from iotdevice.timers import Timers


@implementer(IPushProducer)
class TunnelSide(Protocol):
    """A ``Side`` but for ``write`` and ``finish``. Who derives from it registers it as its transport's producer, and
    sets ``_half`` when it is joined and ``_gone`` when the connection is lost."""

    def __init__(self, clock: IReactorTime) -> None:
        self._timers = Timers(clock)
        self._half: Half | None = None
        self._gone = False

    def pauseProducing(self) -> None:
        """The other end takes no more for now."""
        if self._half is not None:
            self._half.full()

    def resumeProducing(self) -> None:
        """The other end takes more again."""
        if self._half is not None:
            self._half.drained()

    def stopProducing(self) -> None:
        """The connection goes; ``connectionLost`` follows."""

    def close(self) -> None:
        """See ``Side``."""
        if self._gone:
            return
        self._timers.within(DRAIN_WITHIN, self.abort)
        self._transport.unregisterProducer()
        self._transport.loseConnection()

    def abort(self) -> None:
        """See ``Side``."""
        if not self._gone:
            self._transport.abortConnection()

    def pause(self) -> None:
        """See ``Side``."""
        self._transport.pauseProducing()

    def resume(self) -> None:
        """See ``Side``."""
        self._transport.resumeProducing()

    @property
    def _transport(self) -> Any:
        return self.transport
