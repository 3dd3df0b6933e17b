"""The event streams that are open: each event is encoded once, for all of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from twisted.web.server import Request
from zope.interface import implementer

from iotcenter.center.devices import Devices
from iotcenter.center.subscribers import Event, Subscribers
from iotcenter.texts import _
from iotcenter.web.channel import cut
from iotcenter.web.errors import HTTPProblem
from iotcenter.web.frames import KEEP_ALIVE, OPENING, Snapshot, frame, frames_of
from iotcenter.web.headers import peer
from iotcenter.web.packing import GZIP_HEADER, Packable
from iotcenter.web.peers import LOOPBACK, source_of
from iotcenter.web.principal import Principal, Via

MAX_STREAMS = 600
"""The most streams that are open at once: a small team has tens. Those of readers that read nothing take some 50 MB."""

MAX_PER_PRINCIPAL = 20
"""The most streams of one session or token: a window without SharedWorker has one for each tab."""

MAX_PER_SOURCE = 60
"""The most streams of one source: an office behind one router."""

KEEP_ALIVE_EVERY = 15.0
"""Seconds between two comments on a stream."""

CHECK_EVERY = 4
"""After how many comments a stream's session is looked up again, in case that nobody told us of its end."""

PATIENCE = 300.0
"""Seconds after which a reader that reads nothing is let go: one that comes back opens a new stream by itself."""

MAX_QUEUE = 64 * 1024
"""The most bytes that wait for one slow reader; beyond it a fresh snapshot is due instead. Readers share the bytes
themselves."""

PIECE = 16 * 1024
"""How much of a snapshot is written at once: with what the transport holds, a stalled reader costs some 80 KiB."""

log = Logger()


@implementer(IPushProducer)
class Stream:
    """One reader of events.

    It begins with a snapshot. What comes while the reader is slow waits up to a bound; what comes beyond that is
    dropped, and another snapshot takes its place once the reader is back.
    """

    def __init__(
        self,
        request: Request,
        principal: Principal,
        check: Callable[[], Awaitable[Principal | None]],
        snapshot: Callable[[], Packable],
        seconds: Callable[[], float],
        packed: bool,
    ) -> None:
        self.principal = principal
        self.source = source_of(peer(request))
        self.check = check
        self.done: Deferred[None] = Deferred()
        self._request = request
        self._snapshot = snapshot
        self._seconds = seconds
        self._packed = packed
        self._rest = memoryview(GZIP_HEADER + OPENING.packed if packed else OPENING.plain)
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._stale = True
        self._paused_since: float | None = None

    def start(self) -> None:
        """Begin to write."""
        if self._packed:
            self._request.setHeader("Content-Encoding", "gzip")
        self._request.registerProducer(self, True)
        self._pump()

    def send(self, piece: Packable) -> None:
        """Write ``piece``, or keep it for later, or drop it for the sake of a snapshot."""
        if self._stale:
            return
        data = self._form(piece)
        self._queue.append(data)
        self._queued += len(data)
        self._pump()
        if self._queued > MAX_QUEUE:
            self._stale = True
            self._queue.clear()
            self._queued = 0

    def keep_alive(self) -> None:
        """Show that the stream lives; give up a reader that does not."""
        if self._paused_since is None:
            self._request.write(self._form(KEEP_ALIVE))
        elif self._seconds() - self._paused_since >= PATIENCE:
            cut(self._request)

    def end(self) -> None:
        """Write no more."""
        if not self.done.called:
            self._paused_since = self._seconds()
            self._request.unregisterProducer()
            self.done.callback(None)

    def pauseProducing(self) -> None:
        """The reader is slow: what was written waits to be sent."""
        self._paused_since = self._seconds()

    def resumeProducing(self) -> None:
        """The reader took what was written."""
        self._paused_since = None
        self._pump()

    def stopProducing(self) -> None:
        """The connection is gone; the request's handler is cancelled, and sees to the rest."""

    def _form(self, piece: Packable) -> bytes:
        return piece.packed if self._packed else piece.plain

    def _pump(self) -> None:
        while self._paused_since is None:
            if self._rest:
                piece, self._rest = self._rest[:PIECE], self._rest[PIECE:]
                self._request.write(bytes(piece))
            elif self._stale:
                self._stale = False
                self._rest = memoryview(self._form(self._snapshot()))
            elif self._queue:
                data = self._queue.popleft()
                self._queued -= len(data)
                self._request.write(data)
            else:
                return


class Streams:
    """All open streams. They listen to the center together, and only while there are any."""

    def __init__(self, reactor: Any, subscribers: Subscribers, devices: Devices, build: str) -> None:
        self._reactor = reactor
        self._subscribers = subscribers
        self._devices = devices
        self._build = build
        self._streams: dict[Stream, None] = {}
        self._unsubscribe: Callable[[], None] = lambda: None
        self._timer: Any = None
        self._ticks = 0
        self._cached: tuple[float, Packable] | None = None

    def __len__(self) -> int:
        return len(self._streams)

    async def serve(
        self,
        request: Request,
        principal: Principal,
        check: Callable[[], Awaitable[Principal | None]],
        packed: bool = False,
    ) -> None:
        """Stream events to ``request`` until it goes away or the stream is ended. Raises ``HTTPProblem`` where there
        are too many.

        ``check`` looks up again who asks, and is called from time to time. ``packed`` is whether to compress it.
        """
        stream = Stream(request, principal, check, self._snapshot, self._reactor.seconds, packed)
        self._admit(stream)
        self._streams[stream] = None
        if len(self._streams) == 1:
            self._cached = None  # nobody listened since, so what came meanwhile would be in no later frame either
            self._unsubscribe = self._subscribers.subscribe(self._publish)
            self._timer = self._reactor.callLater(KEEP_ALIVE_EVERY, self._tick)
        try:
            stream.start()
            await stream.done
        finally:
            del self._streams[stream]
            if not self._streams:
                self._unsubscribe()
                self._timer.cancel()

    def end_session(self, key: str) -> None:
        """End the streams of one session or token, by its ``Principal.key``: it was signed out."""
        self._end(lambda stream: stream.principal.key == key)

    def end_user(self, name: str) -> None:
        """End the streams of all sessions of a user: they may do something else now, or nothing at all."""
        self._end(lambda stream: stream.principal.via is Via.SESSION and stream.principal.name == name)

    def end_token(self, name: str) -> None:
        """End the streams of an API token: it was removed."""
        self._end(lambda stream: stream.principal.via in (Via.TOKEN, Via.SCREEN) and stream.principal.name == name)

    def stop(self) -> None:
        """End all streams: the server stops."""
        self._end(lambda _: True)

    def _end(self, chosen: Callable[[Stream], bool]) -> None:
        for stream in tuple(self._streams):
            if chosen(stream):
                stream.end()

    def _admit(self, new: Stream) -> None:
        of_principal = sum(stream.principal.key == new.principal.key for stream in self._streams)
        of_source = 0 if new.source in LOOPBACK else sum(stream.source == new.source for stream in self._streams)
        if len(self._streams) >= MAX_STREAMS or of_principal >= MAX_PER_PRINCIPAL or of_source >= MAX_PER_SOURCE:
            words = _("too many event streams are open")
            raise HTTPProblem(429, "too_many_streams", words, headers={"Retry-After": "10"})

    def _publish(self, event: Event) -> None:
        self._cached = None
        piece = Packable(frames_of(event))
        for stream in tuple(self._streams):
            stream.send(piece)

    def _snapshot(self) -> Packable:
        """The state of now, encoded once for all who need it at the same time."""
        now = self._reactor.seconds()
        if self._cached is None or now - self._cached[0] >= 1.0:
            self._cached = now, Packable(frame("snapshot", Snapshot(self._build, self._devices.all())))
        return self._cached[1]

    def _tick(self) -> None:
        self._timer = self._reactor.callLater(KEEP_ALIVE_EVERY, self._tick)
        self._ticks += 1
        for stream in tuple(self._streams):
            stream.keep_alive()
            if self._ticks % CHECK_EVERY == 0:
                checking = Deferred.fromCoroutine(_check(stream))
                checking.addErrback(
                    lambda failure: log.warn("A session could not be checked: {why}", why=failure.getErrorMessage())
                )


async def _check(stream: Stream) -> None:
    try:
        principal = await stream.check()
    except HTTPProblem:
        principal = None
    if principal is None or principal.role is not stream.principal.role:
        stream.end()
