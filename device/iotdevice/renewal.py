"""A certificate's end, seen coming: a new one is asked for in time, over the link that the old one opened."""

from __future__ import annotations

from pathlib import Path

from iotcenter.model import LogLevel
from iotcenter.wire.messages import CloseCode, Renew
from iotdevice.channel import Channel
from iotdevice.clock import Clock
from iotdevice.credentials import BadCredentials, Credentials, save_credentials
from iotdevice.devicelog import DeviceLog
from iotdevice.timers import Timers

LONGEST_WAIT = 86400.0
"""The longest that a timer is set for, in seconds: the wall clock may be set anew meanwhile."""

ASK_AGAIN = 3600.0
"""Seconds after which a request without an answer is repeated; sooner where certificates live for less than a day."""


class Renewal:
    """Holds the device's credentials, and keeps them valid."""

    def __init__(self, directory: Path, credentials: Credentials, clock: Clock, log: DeviceLog) -> None:
        self.credentials = credentials
        """What the next connection is opened with."""
        self._directory = directory
        self._clock = clock
        self._log = log
        self._timers = Timers(clock.steady)
        self._channel: Channel | None = None
        self._asked = float("-inf")
        self._verdict: bool | None = None

    @property
    def expired(self) -> bool:
        """Whether the certificate is good for nothing but its renewal: by the server's word, or else by this machine's
        clock."""
        return self._clock.wall() >= self.credentials.expires if self._verdict is None else self._verdict

    def request(self) -> Renew:
        """What to ask the server with."""
        self._asked = self._clock.now()
        return Renew(request=self.credentials.request())

    def received(self, renew: Renew) -> None:
        """The server's answer. What is wrong with it is logged, and the old certificate kept.

        It is written here and now, though that may hold the reactor for a moment: it happens every other month.
        """
        try:
            new = self.credentials.renewed(renew.certificate)
            save_credentials(self._directory, new)
        except (BadCredentials, OSError) as error:
            self._log.say(f"The new certificate cannot be used: {error}", LogLevel.ERROR)
            return
        self.credentials = new
        self._verdict = None
        self._log.say(
            f"The certificate is renewed: it is valid for {(new.expires - self._clock.wall()) / 86400:.1f} days"
        )
        self._timers.clear()
        self._plan()

    def judged(self, code: CloseCode | None, used: Credentials, renewing: bool) -> None:
        """A link that was opened with ``used`` ended with ``code``: the server may have another opinion of the time
        than this machine."""
        if used is not self.credentials:
            return
        if code is CloseCode.EXPIRED:
            self._verdict = True
        elif renewing and code is not None:
            self._verdict = False

    def connected(self, channel: Channel) -> None:
        """See ``Speaker``."""
        self._channel = channel
        self._verdict = None
        self._plan()

    def writable(self) -> None:
        """See ``Speaker``: a request is small enough not to wait."""

    def disconnected(self) -> None:
        """See ``Speaker``."""
        self._channel = None
        self._timers.clear()

    def _plan(self) -> None:
        """Ask now if it is time, and look again when it may be."""
        if self._channel is None:
            return
        again = min(ASK_AGAIN, max(1.0, self.credentials.lifetime / 10))
        wait = max(self.credentials.due - self._clock.wall(), self._asked + again - self._clock.now())
        if wait <= 0:
            self._channel.send(self.request())
            wait = again
        self._timers.within(min(wait, LONGEST_WAIT), self._plan)
