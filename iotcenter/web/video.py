"""Live video: one stream from a device for all who watch it, passed on to each as fast as they take it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.server import Request
from zope.interface import implementer

from iotcenter.center.center import Center
from iotcenter.center.known import KnownDevice
from iotcenter.center.tunnels import Opener, Session
from iotcenter.interfaces import Clock
from iotcenter.model import DeviceId, VideoOffer
from iotcenter.texts import _
from iotcenter.web.errors import HTTPProblem
from iotcenter.web.principal import Principal
from iotcenter.wire.joint import Half
from iotcenter.wire.mjpeg import MjpegReader, VideoError, request_for

BOUNDARY = "iotcenter-frame"
MEDIA = f"multipart/x-mixed-replace; boundary={BOUNDARY}"

MOST_VIEWERS = 32
"""The most who watch at once, all devices together: a slow one has up to a megabyte under way."""

MOST_OF_ONE = 8
"""The most of them that belong to one session or token: nobody takes all places."""

PATIENCE = 20.0
"""Seconds that the next picture may take; then the camera has stopped."""

CHECK_EVERY = 15.0
"""Seconds between two looks at who still may watch, and still reads."""

log = Logger()


@implementer(IPushProducer)
class Viewer:
    """Somebody who watches. While they are slow only the newest picture waits for them, which all viewers share."""

    def __init__(
        self, request: Request, principal: Principal, check: Callable[[], Awaitable[Principal | None]]
    ) -> None:
        self.principal = principal
        self.check = check
        self.done: Deferred[None] = Deferred()
        self._request = request
        self._started = False
        self._paused = False
        self._stuck = False
        self._next = b""

    def show(self, part: bytes) -> None:
        """Here is the next picture."""
        if self.done.called:
            return
        if not self._started:
            self._started = True
            self._request.registerProducer(self, True)
            self._request.write(f"--{BOUNDARY}\r\n".encode())
        if self._paused:
            self._next = part
        else:
            self._request.write(part)

    def end(self, reason: Failure | None = None) -> None:
        """There will be no more; ``reason`` is told where nothing was shown yet."""
        if self.done.called:
            return
        if self._started:
            self._request.unregisterProducer()
        if reason is not None and not self._started:
            self.done.errback(reason)
        else:
            self.done.callback(None)

    def is_stuck(self) -> bool:
        """Whether nothing was read since this was asked last."""
        stuck, self._stuck = self._stuck and self._paused, self._paused
        return stuck

    def pauseProducing(self) -> None:
        """They are slow."""
        self._paused = True

    def resumeProducing(self) -> None:
        """They took what was written."""
        self._paused = self._stuck = False
        part, self._next = self._next, b""
        if part:
            self.show(part)

    def stopProducing(self) -> None:
        """They are gone; the request's handler is cancelled, and sees to the rest."""


class Feed:
    """The video of one device: a ``Side`` of a tunnel, from when the first viewer comes to when the last leaves."""

    def __init__(self, clock: Clock, offer: VideoOffer, ended: Callable[[], None]) -> None:
        self.viewers: dict[Viewer, None] = {}
        self.opening: Deferred[None] | None = None
        self._offer = offer
        self._ended = ended
        self._reader = MjpegReader()
        self._half: Half | None = None
        self._newest = b""
        self._told: Failure | None = None
        self._watch: Any = clock.callLater(PATIENCE, self._end, f"no picture came for {PATIENCE:g} s")

    def add(self, viewer: Viewer) -> None:
        """One more watches."""
        self.viewers[viewer] = None
        if self._told is not None:
            viewer.end(self._told)
        elif self._newest:
            viewer.show(self._newest)

    def remove(self, viewer: Viewer) -> None:
        """One less; after the last the device need not send any more."""
        self.viewers.pop(viewer, None)
        if not self.viewers:
            self._end("nobody watches any more")

    def joined(self, session: Session, half: Half) -> None:
        """The tunnel stands: ask the camera."""
        self._half = half
        session.ended = self._end
        half.received(request_for(self._offer.path))

    def refused(self, failure: Failure) -> None:
        """There will be no tunnel."""
        self.opening = None
        if failure.check(CancelledError) is None:
            self._end(failure.getErrorMessage(), failure)

    def write(self, data: bytes) -> None:
        """See ``Side``: the camera sent something."""
        try:
            frames = list(self._reader.receive(data))
        except VideoError as error:
            self._end(str(error))
        else:
            if frames:
                self._show(frames[-1])  # of those that came together: who sends thousands holds nobody else up

    def finish(self) -> None:
        """See ``Side``."""
        self._end("the camera ended it")

    def close(self) -> None:
        """See ``Side``."""
        self._end("the tunnel ended")

    def abort(self) -> None:
        """See ``Side``."""
        self._end("the tunnel ended")

    def pause(self) -> None:
        """See ``Side``: what was asked of the camera is all that is ever sent."""

    def resume(self) -> None:
        """See ``Side``."""

    def _show(self, frame: bytes) -> None:
        if BOUNDARY.encode() in frame:  # a browser could take what stands behind it for a part of its own
            self._end("what it sends is no picture")
            return
        # The delimiter comes behind each picture: browsers show it as soon as they know that it is complete.
        head = f"Content-Type: image/jpeg\r\nContent-Length: {len(frame)}\r\n\r\n".encode()
        self._newest = head + frame + f"\r\n--{BOUNDARY}\r\n".encode()
        self._watch.reset(PATIENCE)
        for viewer in tuple(self.viewers):
            viewer.show(self._newest)

    def _end(self, reason: str, failure: Failure | None = None) -> None:
        if self._told is not None:
            return
        self._told = failure or Failure(HTTPProblem(409, "no_video", f"there is no video: {reason}"))
        if self._watch.active():
            self._watch.cancel()
        if self.opening is not None:
            self.opening.cancel()
        if self._half is not None:
            self._half.cut(reason)
            self._half.lost(reason)
        self._ended()
        for viewer in tuple(self.viewers):
            viewer.end(self._told)


class Videos:
    """All live video that is being watched."""

    def __init__(self, center: Center, clock: Clock) -> None:
        self._center = center
        self._clock = clock
        self._feeds: dict[DeviceId, Feed] = {}
        self._timer: Any = None

    async def serve(
        self,
        request: Request,
        principal: Principal,
        name: str,
        check: Callable[[], Awaitable[Principal | None]],
    ) -> None:
        """Show a device's video until the viewer leaves or it ends. Raises ``TunnelRefused`` and ``HTTPProblem``.

        ``check`` looks up again who asks, and is called from time to time.
        """
        known = self._center.devices.named(name)
        if known.video is None:
            words = _("%(name)s offers no video: its configuration has no [video]", name=name)
            raise HTTPProblem(404, "no_video", words)
        viewers = [viewer.principal.key for feed in self._feeds.values() for viewer in feed.viewers]
        if len(viewers) >= MOST_VIEWERS or viewers.count(principal.key) >= MOST_OF_ONE:
            words = _("too many people watch already")
            raise HTTPProblem(429, "too_many_viewers", words, headers={"Retry-After": "10"})
        viewer = Viewer(request, principal, check)
        feed = self._feeds.get(known.id) or self._open(known, known.video, principal)
        feed.add(viewer)
        self._keep_looking()
        try:
            await viewer.done
        finally:
            feed.remove(viewer)
            self._keep_looking()

    def _open(self, known: KnownDevice, offer: VideoOffer, principal: Principal) -> Feed:
        feed = self._feeds[known.id] = Feed(self._clock, offer, lambda: self._ended(known.id, feed))
        opener = Opener(principal.actor, "live video", principal.time_zone)
        tunnels = self._center.tunnels
        opening = Deferred.fromCoroutine(tunnels.open(known.name, offer.port, opener, feed, feed.joined))
        if not opening.called:
            feed.opening = opening
        opening.addCallbacks(lambda _: setattr(feed, "opening", None), feed.refused)
        return feed

    def _ended(self, device: DeviceId, feed: Feed) -> None:
        if self._feeds.get(device) is feed:
            del self._feeds[device]

    def _keep_looking(self) -> None:
        """Look at the viewers from time to time, as long as there are any."""
        if self._feeds and self._timer is None:
            self._timer = self._clock.callLater(CHECK_EVERY, self._look)
        elif not self._feeds and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        self._keep_looking()
        for viewer in [one for feed in self._feeds.values() for one in feed.viewers]:
            if viewer.is_stuck():
                viewer.end()
            else:
                checking = Deferred.fromCoroutine(_check(viewer))
                checking.addErrback(
                    lambda failure: log.warn("A viewer could not be checked: {why}", why=failure.getErrorMessage())
                )


async def _check(viewer: Viewer) -> None:
    try:
        principal = await viewer.check()
    except HTTPProblem:
        principal = None
    if principal is None:
        viewer.end()
