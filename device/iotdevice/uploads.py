"""Files' way to the server: on disk first, then piece by piece, one at a time and behind the readings."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure

from iotcenter.model import LogLevel
from iotcenter.wire.messages import File, FileAck, FileState
from iotdevice.app import App
from iotdevice.channel import Channel
from iotdevice.errors import describe
from iotdevice.pace import Pace
from iotdevice.stage import Stage
from iotdevice.timers import Timers
from iotdevice.upload import Upload, UploadError
from iotdevice.upload_queue import UploadQueue, Waiting

LOOK_AGAIN = 0.25
"""Seconds after which it is looked again whether readings still wait."""

ANSWER_WITHIN = 60.0
"""Seconds after which a piece that nobody answered is asked about."""

PATIENCE = (0.5, 600.0)
"""The shortest and the longest pause that a busy server gets."""

TRIES = 3
"""How often a file is sent whole that arrives as something else: then it is what this machine's disk made of it."""


class Uploads:
    """Sends what waits in ``queue``, oldest first.

    ``held`` says that readings wait, which come first. ``obstacle`` says why this device can send no files at all,
    where it cannot.
    """

    def __init__(
        self,
        queue: UploadQueue,
        stage: Stage,
        reactor: IReactorFromThreads,
        held: Callable[[], bool],
        obstacle: str = "",
    ) -> None:
        self._queue = queue
        self._threads = stage.threads
        self._clock = stage.clock
        self._log = stage.log
        self._trouble = stage.trouble("app.upload")
        self._reactor = reactor
        self._held = held
        self._obstacle = obstacle
        self._app: App | None = None
        self._waiting: list[Waiting] = []
        self._known: dict[int, Upload] = {}
        self._channel: Channel | None = None
        self._takes = 0
        self._pace = Pace()
        self._timers = Timers(stage.clock.steady)
        self._offset: int | None = None
        self._asked: float | None = None
        self._reading = False
        self._tries = 0
        self._stopped = False

    def start(self) -> None:
        """Take up what waits since an earlier start."""
        self._threads.run(self._queue.load).addCallbacks(self._loaded, self._failed)

    def stop(self) -> None:
        """Send no more; what was handed in until now is brought to disk."""
        if self._app is not None:
            self._take_mail()
        self._stopped = True
        self._channel = None
        self._timers.close()

    def serve(self, app: App) -> None:
        """Take what ``app`` uploads from now on."""
        self._app = app
        app.uploads.open(lambda: self._reactor.callFromThread(self._take_mail))

    def allowed(self, size: int) -> None:
        """The server takes files of up to ``size`` bytes; 0: none."""
        self._takes = size

    def connected(self, channel: Channel) -> None:
        """See ``Speaker``."""
        self._channel = channel
        self._pace = Pace()
        if self._waiting and not self._takes:
            self._trouble.failed("the server takes no files: they wait here", LogLevel.WARNING)
        self._send()

    def writable(self) -> None:
        """See ``Speaker``."""
        self._send()

    def disconnected(self) -> None:
        """See ``Speaker``: over the next link the server is asked how much it has."""
        self._channel = None
        self._takes = 0
        self._offset = self._asked = None
        self._timers.clear()

    def acknowledged(self, ack: FileAck) -> None:
        """The server says what became of a piece."""
        if not self._waiting or ack.id != self._waiting[0].id or self._asked is None:
            return
        self._pace.took(self._clock.now() - self._asked)
        self._asked = None
        self._timers.cancel(self._ask_again)
        match ack.state:
            case FileState.WANTED:
                self._wanted(ack)
            case FileState.STORED:
                self._end(self._waiting[0])
            case FileState.REFUSED:
                self._end(self._waiting[0], f"the server refuses it: {ack.reason}")
            case FileState.BUSY:
                self._offset = None
                self._timers.after(min(max(ack.retry, PATIENCE[0]), PATIENCE[1]), self._send)
        self._send()

    def _take_mail(self) -> None:
        if self._stopped or self._app is None:
            return
        uploads, _ = self._app.uploads.take()
        for upload in uploads:
            if self._obstacle:
                self._refuse(upload, UploadError(self._obstacle))
            else:
                Deferred.fromCoroutine(self._take(upload)).addErrback(self._failed)

    async def _take(self, upload: Upload) -> None:
        """Bring it to disk, and in line; where there is too much, the oldest make way."""
        time = self._clock.wall() if self._clock.set else 0.0
        try:
            waiting = await self._threads.run(self._queue.put, upload, time)
        except UploadError as error:
            self._refuse(upload, error)
            return
        upload.content = b""
        self._known[waiting.id] = upload
        self._waiting.append(waiting)
        for old in self._queue.too_much(self._waiting):
            self._end(old, "it had to make way for newer ones")
        self._send()

    def _refuse(self, upload: Upload, error: UploadError) -> None:
        self._trouble.failed(str(error))
        upload.end(error)

    def _loaded(self, waiting: list[Waiting]) -> None:
        self._waiting[:0] = waiting
        self._send()

    def _send(self) -> None:
        """Send the next piece, if it is its turn."""
        channel = self._channel
        waits = self._reading or self._asked is not None or self._timers.pending(self._send)
        if channel is None or not self._takes or not self._waiting or waits:
            return
        if self._held():
            self._timers.after(LOOK_AGAIN, self._send)
        elif not channel.writable:
            return
        elif self._offset is None:
            self._put(channel, self._waiting[0], 0, b"")
        else:
            self._reading = True
            reading = Deferred.fromCoroutine(self._piece(channel, self._waiting[0], self._offset))
            reading.addErrback(self._failed)

    async def _piece(self, channel: Channel, waiting: Waiting, offset: int) -> None:
        try:
            data = await self._threads.run(self._queue.read, waiting, offset, self._pace.size)
        except UploadError as error:
            data = b""
            if waiting in self._waiting:
                self._end(waiting, str(error))
        finally:
            self._reading = False
        if data and channel is self._channel and self._waiting[:1] == [waiting]:
            self._put(channel, waiting, offset, data)
        else:
            self._send()

    def _put(self, channel: Channel, waiting: Waiting, offset: int, data: bytes) -> None:
        self._asked = self._clock.now()
        self._timers.after(ANSWER_WITHIN, self._ask_again)
        channel.send(
            File(
                id=waiting.id,
                name=waiting.name,
                media_type=waiting.media_type,
                size=waiting.size,
                offset=offset,
                data=data,
                digest=waiting.digest,
                time=waiting.time,
                command=waiting.command,
            )
        )

    def _wanted(self, ack: FileAck) -> None:
        before, self._offset = self._offset, ack.offset if ack.offset < self._waiting[0].size else 0
        if before and self._offset == 0 and ack.reason:  # without one it only made way for another device's
            self._tries += 1
        if self._tries >= TRIES:
            self._end(self._waiting[0], f"it arrives as something else ({ack.reason})")

    def _ask_again(self) -> None:
        self._offset = self._asked = None
        self._send()

    def _end(self, waiting: Waiting, error: str = "") -> None:
        """One is there, or will never be: go on with the next."""
        if waiting is self._waiting[0]:
            self._offset = self._asked = None
            self._tries = 0
        self._waiting.remove(waiting)
        self._threads.run(self._queue.drop, waiting).addErrback(self._failed)
        upload = self._known.pop(waiting.id, None)
        if error:
            self._trouble.failed(f"{waiting.name}: {error}")
        if upload is not None:
            upload.end(UploadError(error) if error else None)

    def _failed(self, failure: Failure) -> None:
        assert failure.value is not None
        self._trouble.failed(describe(failure.value))
