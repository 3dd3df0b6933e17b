"""Photos and other files that devices sent: their content in a folder, what is known of them in the database.

A file's row is written when its content is in place, and its content deleted when its row is gone. A crash between the
two leaves content without a row, which the next start deletes.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace
from twisted.internet.defer import Deferred, fail
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from iotcenter.model import DeviceId
from iotcenter.storage import file_rows as rows
from iotcenter.storage.database import Database
from iotcenter.storage.errors import Closed, DiskFull, NotFound, StorageError
from iotcenter.storage.file_rows import LAST_ID, MOST_IN_ANSWER, FileLimits, FileRow, Used
from iotcenter.storage.folder import Folder, part_name
from iotcenter.storage.media import picture_type
from iotcenter.storage.sql import find, find_all
from iotcenter.storage.unfinished import Unfinished

T = TypeVar("T")

RESERVE = 200_000_000
"""Bytes of the disk that files leave free: readings need them more."""


class Files:
    """Takes files in piece by piece, and keeps them."""

    _log = Logger()

    def __init__(self, database: Database, directory: Path, reactor: Any) -> None:
        self._database = database
        self._folder = Folder(directory)
        self._reactor = reactor
        self._writer = ThreadPool(1, 1, "files")
        self._readers = ThreadPool(0, 2, "file readers")
        self._unfinished = Unfinished()
        self._placing: set[str] = set()
        self._open = False

    def open(self) -> None:
        """Make the folder where there is none. It blocks: to be done before anything listens. Raises
        ``StorageError``."""
        older = self._unfinished.load(self._folder.open())
        self._folder.drop(part.name for part in older)
        self._open = True

    def start(self, now: float) -> None:
        """Delete what an earlier crash, or a device that never came back, has left behind."""
        forgotten = [part.name for part in self._unfinished.forget(now)]
        Deferred.fromCoroutine(self._drop(forgotten)).addErrback(self._failed)
        self.sweep()

    def close(self) -> None:
        """Finish what is on its way to disk, and take nothing more."""
        self._open = False
        for pool in (self._writer, self._readers):
            if pool.started:
                pool.stop()

    def have(self, device: DeviceId, number: int) -> int | None:
        """How many bytes are here of a file that is under way; None where it is not."""
        return self._unfinished.have(device, number)

    def find(self, device: DeviceId, number: int) -> Deferred[FileRow | None]:
        """A device's file by the device's own number for it."""
        return self._database.read(lambda connection: find(connection, rows.file_row, rows.BY_NUMBER, device, number))

    async def begin(self, device: DeviceId, number: int, size: int, now: float) -> None:
        """A file of ``size`` bytes begins; the device's other one, if not all of it came, is given up.

        Raises ``DiskFull`` and ``Busy``.
        """
        await self._write(self._check_room, size)
        await self._drop(part.name for part in self._unfinished.begin(device, number, now))

    async def add(self, device: DeviceId, number: int, offset: int, data: bytes, now: float) -> int:
        """Put a piece where it belongs; how many bytes there are now."""
        await self._write(self._check_room, len(data))  # again: others have begun files meanwhile
        await self._write(self._folder.add, part_name(device, number), offset, data)
        self._unfinished.grow(device, number, offset + len(data), now)
        return offset + len(data)

    async def complete(self, file: FileRow, limits: FileLimits) -> FileRow:
        """All of a file is here: keep it. What comes back has its id, and says whether it is a picture.

        Raises ``folder.Damaged`` where the content is not what ``size`` and ``digest`` say; then it has to come anew.
        ``NotFound`` where the device is gone.
        """
        self._unfinished.end(file.device)
        path = secrets.token_hex(16)
        self._placing.add(path)
        try:
            part = part_name(file.device, file.number)
            head = await self._write(self._folder.complete, part, file.size, file.digest, path)
            placed = replace(file, path=path, image=picture_type(head))
            kept, gone = await self._database.write(partial(rows.add_file, row=placed, limits=limits))
        except StorageError:
            self.sweep()  # which looks whether there is a row: a commit that failed may have come through
            raise
        finally:
            self._placing.discard(path)
        await self._drop(gone)
        return kept

    async def give_up(self, device: DeviceId) -> None:
        """What came of the device's file is of no use."""
        part = self._unfinished.end(device)
        if part is not None:
            await self._drop([part.name])

    def recent(
        self, device: DeviceId | None, limit: int, before: int | None = None, photos: bool = False
    ) -> Deferred[tuple[FileRow, ...]]:
        """The newest files of a device, or of all, from the one before the id ``before`` on; the newest first."""
        parameters = (before or LAST_ID, photos, min(limit, MOST_IN_ANSWER))
        query, of = (rows.RECENT_OF_ALL, ()) if device is None else (rows.RECENT, (device,))
        return self._database.read(lambda connection: find_all(connection, rows.file_row, query, *of, *parameters))

    def of_commands(self, device: DeviceId, oldest: int) -> Deferred[tuple[FileRow, ...]]:
        """The files that are results of the device's commands from ``oldest`` on."""
        return self._database.read(
            lambda connection: find_all(connection, rows.file_row, rows.OF_COMMANDS, device, oldest)
        )

    def newest_photos(self) -> Deferred[tuple[FileRow, ...]]:
        """The newest picture of each device."""
        return self._database.read(rows.newest_photos)

    def newest_photo(self, device: DeviceId) -> Deferred[FileRow | None]:
        """The newest picture of a device."""
        return self._database.read(lambda connection: find(connection, rows.file_row, rows.NEWEST_PHOTO, device))

    def used(self, device: DeviceId) -> Deferred[Used]:
        """How much of its room a device uses."""
        return self._database.read(partial(rows.used, device=device))

    async def get(self, device: DeviceId, id: int) -> FileRow:
        """One file. Raises ``NotFound``."""
        row = await self._database.read(lambda connection: find(connection, rows.file_row, rows.BY_ID, device, id))
        if row is None:
            raise NotFound("There is no such file.")
        return row

    def neighbours(self, device: DeviceId, id: int) -> Deferred[tuple[FileRow | None, ...]]:
        """The file after that one, itself, and the one before; None for what is not there."""
        return self._database.read(partial(rows.neighbours, device=device, id=id))

    def read(self, file: FileRow, offset: int, size: int) -> Deferred[bytes]:
        """Up to ``size`` bytes of its content. Fails with ``NotFound`` where that is gone."""
        return self._run(self._readers, self._folder.read, file.path, offset, size)

    async def remove(self, device: DeviceId, id: int) -> None:
        """Delete a file. Raises ``NotFound``."""
        await self._drop(await self._database.write(partial(rows.remove_file, device=device, id=id)))

    async def keep(self, device: DeviceId, count: int | None, limits: FileLimits) -> None:
        """Keep the newest ``count`` files of a device from now on, None for as many as is usual."""
        await self._drop(await self._database.write(partial(rows.set_keep, device=device, keep=count, limits=limits)))

    def sweep(self) -> None:
        """Delete what no row knows of: a device was removed, or the server crashed."""
        Deferred.fromCoroutine(self._sweep()).addErrback(self._failed)

    async def _sweep(self) -> None:
        there = set(await self._write(self._folder.names))
        there -= self._placing  # now, not later: what was placed before the look has its row when the rows are read
        await self._drop(there - await self._database.read(rows.all_paths))

    def _check_room(self, size: int) -> None:
        if self._folder.room() < size + RESERVE:
            raise DiskFull("The server's disk is nearly full: it takes no files until there is room.")

    def _write(self, function: Callable[..., T], *arguments: Any) -> Deferred[T]:
        return self._run(self._writer, function, *arguments)

    async def _drop(self, names: Iterable[str]) -> None:
        """Delete what nobody refers to any more. Where that fails the next sweep does it."""
        listed = list(names)
        if listed:
            await self._write(self._folder.drop, listed).addErrback(self._failed)

    def _run(self, pool: ThreadPool, function: Callable[..., T], *arguments: Any) -> Deferred[T]:
        if not self._open:
            return fail(Closed())
        if not pool.started:
            pool.start()
        return deferToThreadPool(self._reactor, pool, function, *arguments)

    def _failed(self, failure: Failure) -> None:
        if not failure.check(Closed):
            self._log.warn("Files could not be deleted: {why}", why=failure.getErrorMessage())
