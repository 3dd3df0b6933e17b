"""Says who the device is and what it offers: first on each link, and again when something of it changes."""

from __future__ import annotations

from collections.abc import Callable

from iotcenter.wire.messages import Hello
from iotdevice.channel import Channel
from iotdevice.clock import Clock
from iotdevice.timers import Timers

AT_MOST_EVERY = 5.0
"""Seconds between two greetings on one link: a sensor that fails every other time makes no storm of them."""

SOON = 0.1
"""Seconds that a change waits for others of its moment."""


class Greeter:
    """Makes each ``Hello``. ``say`` gives what there is to say now."""

    def __init__(self, say: Callable[[], Hello], clock: Clock) -> None:
        self._say = say
        self._clock = clock
        self._timers = Timers(clock.steady)
        self._channel: Channel | None = None
        self._said: Hello | None = None
        self._at = 0.0

    def hello(self) -> Hello:
        """The greeting for a new link."""
        self._said, self._at = self._say(), self._clock.now()
        return self._said

    def changed(self) -> None:
        """The offer or the state is another than before."""
        if self._channel is not None:
            self._timers.within(max(SOON, self._at + AT_MOST_EVERY - self._clock.now()), self._again)

    def connected(self, channel: Channel) -> None:
        """See ``Speaker``: something may have changed since the first greeting went out."""
        self._channel = channel
        self._at -= AT_MOST_EVERY
        self.changed()

    def writable(self) -> None:
        """See ``Speaker``: a greeting is small, and they are few."""

    def disconnected(self) -> None:
        """See ``Speaker``."""
        self._channel = None
        self._timers.clear()

    def _again(self) -> None:
        if self._channel is not None and self._say() != self._said:
            self._channel.send(self.hello())
