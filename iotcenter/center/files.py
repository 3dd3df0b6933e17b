"""Photos and other files that devices send: which are taken, and who is told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from iotcenter.center.devices import Devices
from iotcenter.center.events import Events
from iotcenter.center.known import KnownDevice
from iotcenter.center.subscribers import FileEvent, StoredFile, Subscribers
from iotcenter.interfaces import Clock
from iotcenter.logs import LogLimit
from iotcenter.model import DeviceId, EventKind, Photo
from iotcenter.storage.errors import Busy, NotFound, StorageError
from iotcenter.storage.file_rows import FileLimits, FileRow, Used
from iotcenter.storage.folder import Damaged
from iotcenter.storage.store import Store
from iotcenter.storage.times import fault, place
from iotcenter.wire.messages import File, FileAck, FileState

if TYPE_CHECKING:
    from iotcenter.center.links import DeviceLink

DEFAULT_LIMITS = FileLimits()

MAX_UNDER_WAY = 64
"""Pieces of all devices that may wait for the disk: 8 MB."""

SOON = 1.0
"""Seconds after which a device tries again when others are at it, or its last piece is still under way."""

LATER = 60.0
"""Seconds after which it tries again when the disk takes nothing."""

MAX_NAME = 100
"""Characters of a name that are kept: what a page shows in a line."""

PIECE = 256 * 1024
"""Bytes of a file's content that are read at once."""

DIGEST = 32
"""Bytes of a SHA-256."""

MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,60}/[a-z0-9][a-z0-9.+-]{0,60}")


class Refusal(Exception):
    """A file will never be taken; the text says why, to its device."""


class Files:
    """Takes what devices send, one file of each at a time, and shows it.

    Each piece is answered when it was written, so that a device which waits for the answer holds up nothing else of its
    own.
    """

    log = Logger()

    def __init__(
        self,
        store: Store,
        devices: Devices,
        subscribers: Subscribers,
        events: Events,
        clock: Clock,
        limits: FileLimits = DEFAULT_LIMITS,
    ) -> None:
        self.limits = limits
        self._store = store.files
        self._devices = devices
        self._subscribers = subscribers
        self._events = events
        self._clock = clock
        self._under_way: set[DeviceId] = set()
        self._log_limit = LogLimit(clock.seconds)

    async def load(self) -> None:
        """Find the newest photo of each device."""
        for row in await self._store.newest_photos():
            known = self._devices.find(row.device)
            if known is not None:
                known.photo = _photo(row)

    def received(self, attachment: DeviceLink, message: File) -> None:
        """A device sent a piece of a file, or asks how much of it is here."""
        device = attachment.known.id
        if device in self._under_way or len(self._under_way) >= MAX_UNDER_WAY:
            reason = "the last piece is still being written, or others are: try again"
            attachment.link.send(FileAck(message.id, FileState.BUSY, retry=SOON, reason=reason))
            return
        self._under_way.add(device)
        taking = Deferred.fromCoroutine(self._answer(attachment.known, message))
        taking.addErrback(self._failed, message)
        taking.addCallback(self._taken, attachment)

    async def recent(
        self, name: str | None, limit: int = 100, before: int | None = None, photos: bool = False
    ) -> tuple[StoredFile, ...]:
        """The newest files of a device, or of all, newest first. Raises ``UnknownDevice``."""
        device = None if name is None else self._devices.named(name).id
        return tuple(map(self._shown, await self._store.recent(device, limit, before, photos)))

    async def of_commands(self, name: str, oldest: int) -> tuple[StoredFile, ...]:
        """The files that are results of the device's commands from that number on. Raises ``UnknownDevice``."""
        return tuple(map(self._shown, await self._store.of_commands(self._devices.named(name).id, oldest)))

    async def used(self, name: str) -> Used:
        """How much of its room a device uses. Raises ``UnknownDevice``."""
        return await self._store.used(self._devices.named(name).id)

    async def get(self, name: str, id: int) -> FileRow:
        """A file with all that is known of it. Raises ``UnknownDevice`` and ``NotFound``."""
        return await self._store.get(self._devices.named(name).id, id)

    async def neighbours(self, name: str, id: int) -> tuple[StoredFile | None, ...]:
        """The file after that one, itself, and the one before; None for what is not there. Raises
        ``UnknownDevice``."""
        found = await self._store.neighbours(self._devices.named(name).id, id)
        return tuple(None if row is None else self._shown(row) for row in found)

    def read(self, file: FileRow, offset: int) -> Deferred[bytes]:
        """The next piece of a file's content; fails with ``NotFound`` where that is gone."""
        return self._store.read(file, offset, PIECE)

    async def remove(self, name: str, id: int, actor: str) -> None:
        """Delete a file. Raises ``UnknownDevice`` and ``NotFound``."""
        known = self._devices.named(name)
        row = await self._store.get(known.id, id)
        await self._store.remove(known.id, id)
        self._events.note(EventKind.FILE_REMOVED, actor, name, f"{actor} deleted {row.name} of {name}", file=id)
        await self._look_for_photo(known)

    async def keep(self, name: str, count: int | None, actor: str) -> None:
        """Keep the newest ``count`` files of a device from now on; None: as many as is usual. Raises
        ``UnknownDevice``."""
        known = self._devices.named(name)
        await self._store.keep(known.id, count, self.limits)
        many = "as many files as is usual" if count is None else f"the last {count} files"
        self._events.note(EventKind.DEVICE_CHANGED, actor, name, f"{actor} had {many} of {name} kept", keep=count)
        await self._look_for_photo(known)

    def removed(self, known: KnownDevice) -> None:
        """A device is no more: what came of its file is of no use."""
        Deferred.fromCoroutine(self._store.give_up(known.id)).addErrback(
            lambda failure: self._complain(f"A file could not be given up: {failure.getErrorMessage()}")
        )

    async def _answer(self, known: KnownDevice, message: File) -> FileAck:
        """What to say to a piece, once it is dealt with."""
        try:
            self._check(message)
            if message.offset + len(message.data) > message.size:
                await self._store.give_up(known.id)
                raise Refusal("a piece goes beyond the end of the file")
            return await self._take(known, message)
        except Refusal as refusal:
            self._complain(f"A file of {known.name} is refused: {refusal}")
            return FileAck(message.id, FileState.REFUSED, reason=str(refusal))
        except Busy as busy:
            return FileAck(message.id, FileState.BUSY, retry=SOON, reason=str(busy))
        except StorageError as error:
            self._complain(f"A file of {known.name} cannot be taken now: {error}")
            return FileAck(message.id, FileState.BUSY, retry=LATER, reason=str(error))

    def _check(self, message: File) -> None:
        limit = self.limits.size
        if limit == 0:
            raise Refusal("this server takes no files")
        if not 0 < message.size <= limit:
            raise Refusal(f"it has {message.size} bytes; this server takes 1 to {limit}")
        if len(message.digest) != DIGEST:
            raise Refusal("it comes without its SHA-256")

    async def _take(self, known: KnownDevice, message: File) -> FileAck:
        now, device, number = self._clock.seconds(), known.id, message.id
        have = self._store.have(device, number)
        if have is None:
            if await self._store.find(device, number) is not None:
                return FileAck(number, FileState.STORED, message.size)
            await self._store.begin(device, number, message.size, now)
            have = 0
        if message.data and message.offset == have:
            have = await self._store.add(device, number, have, message.data, now)
        if have < message.size:
            return FileAck(number, FileState.WANTED, have)
        try:
            await self._complete(known, message, now)
        except Damaged:
            return FileAck(number, FileState.WANTED, 0, reason="what came is not what was sent: once more")
        except NotFound:
            raise Refusal("the device is no longer known") from None
        return FileAck(number, FileState.STORED, message.size)

    async def _complete(self, known: KnownDevice, message: File, now: float) -> None:
        time = place(message.time, now)
        row = FileRow(
            id=0,
            device=known.id,
            number=message.id,
            name=_clean(message.name),
            media_type=message.media_type if MEDIA_TYPE.fullmatch(message.media_type) else "application/octet-stream",
            image=None,
            size=message.size,
            digest=message.digest,
            time=now if fault(time, now) else time,
            received=now,
            command=message.command or None,
            path="",
        )
        kept = await self._store.complete(row, self.limits)
        if kept.image is not None:
            known.photo = _photo(kept)
        self._subscribers.publish(FileEvent(self._shown(kept)))

    def _taken(self, answer: FileAck, attachment: DeviceLink) -> None:
        self._under_way.discard(attachment.known.id)
        if attachment.current:
            attachment.link.send(answer)

    def _failed(self, failure: Failure, message: File) -> FileAck:
        self.log.failure("A piece of a file could not be dealt with", failure)
        return FileAck(message.id, FileState.BUSY, retry=LATER, reason="the server failed: try again later")

    async def _look_for_photo(self, known: KnownDevice) -> None:
        newest = await self._store.newest_photo(known.id)
        known.photo = None if newest is None else _photo(newest)
        self._devices.announce(known)

    def _shown(self, row: FileRow) -> StoredFile:
        known = self._devices.find(row.device)
        return StoredFile(
            device=known.name if known is not None else row.device,
            id=row.id,
            name=row.name,
            media_type=row.image or row.media_type,
            image=row.image is not None,
            size=row.size,
            sha256=row.digest.hex(),
            time=row.time,
            received=row.received,
            command=row.command,
        )

    def _complain(self, what: str) -> None:
        if self._log_limit.allow():
            self.log.warn("{what}", what=what)


def _photo(row: FileRow) -> Photo:
    return Photo(row.id, row.time)


def _clean(name: str) -> str:
    """A name that can be shown and downloaded under: no folders, and nothing that cannot be seen or that turns text
    around."""
    last = re.split(r"[/\\]", name)[-1]
    visible = "".join(letter for letter in last if letter.isprintable()).strip(" .")
    return visible[:MAX_NAME] or "file"
