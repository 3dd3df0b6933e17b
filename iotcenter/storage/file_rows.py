"""The table of files: what is known of each, and which of them make way for new ones."""

from __future__ import annotations

import sqlite3

from msgspec import Struct

from iotcenter.model import DeviceId
from iotcenter.storage.devices import check_device
from iotcenter.storage.errors import NotFound
from iotcenter.storage.sql import Row, change, find, find_all, milliseconds, seconds, select

COLUMNS = "id, device, number, name, media_type, image, size, digest, time, received, command, path"
ADD = f"INSERT INTO file ({COLUMNS}) VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
BY_NUMBER = f"SELECT {COLUMNS} FROM file WHERE device = ? AND number = ?"
BY_ID = f"SELECT {COLUMNS} FROM file WHERE device = ? AND id = ?"
RECENT = f"""
    SELECT {COLUMNS} FROM file WHERE device = ?1 AND id < ?2 AND (NOT ?3 OR image IS NOT NULL) ORDER BY id DESC LIMIT ?4
"""
RECENT_OF_ALL = f"""
    SELECT {COLUMNS} FROM file WHERE id < ?1 AND (NOT ?2 OR image IS NOT NULL) ORDER BY id DESC LIMIT ?3
"""
OF_COMMANDS = f"SELECT {COLUMNS} FROM file WHERE device = ? AND command >= ? ORDER BY id"
NEWEST_PHOTOS = f"""
    SELECT {COLUMNS} FROM file WHERE id IN (SELECT max(id) FROM file WHERE image IS NOT NULL GROUP BY device)
"""
NEWEST_PHOTO = f"SELECT {COLUMNS} FROM file WHERE device = ? AND image IS NOT NULL ORDER BY id DESC LIMIT 1"
NEXT = f"SELECT {COLUMNS} FROM file WHERE device = ? AND id > ? ORDER BY id LIMIT 1"
BEFORE = f"SELECT {COLUMNS} FROM file WHERE device = ? AND id < ? ORDER BY id DESC LIMIT 1"
USED = "SELECT count(*), coalesce(sum(size), 0) FROM file WHERE device = ?"
KEEP_OF = "SELECT keep_files FROM device WHERE id = ?"
SET_KEEP = "UPDATE device SET keep_files = ? WHERE id = ?"
PATHS = "SELECT path FROM file"
DELETE = "DELETE FROM file WHERE device = ? AND id = ? RETURNING path"
DELETE_OLD = """
    DELETE FROM file WHERE id IN (SELECT id FROM (
        SELECT id, row_number() OVER (ORDER BY id DESC) AS place, sum(size) OVER (ORDER BY id DESC) AS total
        FROM file WHERE device = ?1) WHERE place > ?2 OR total > ?3) RETURNING path
"""
OF_EACH = "SELECT device, count(*), sum(size) FROM file GROUP BY device"
DELETE_OLDEST = "DELETE FROM file WHERE id = (SELECT min(id) FROM file WHERE device = ?) RETURNING path, size"

MOST_FILES = 100_000
"""Files of all devices together: their sizes are summed up in some milliseconds when one is added."""

MOST_IN_ANSWER = 1000
"""Files in one answer: more than a page shows."""

LAST_ID = 2**63 - 1


class FileLimits(Struct, frozen=True):
    """How many bytes one file may have (0: none is taken), how many files and bytes are kept of each device, and how
    many bytes of all."""

    size: int = 20_000_000
    count: int = 1000
    bytes: int = 500_000_000
    total: int = 2_000_000_000


class FileRow(Struct, frozen=True):
    """A file as it is kept. ``number`` is the device's own, ``image`` what the content is where that is a picture,
    ``command`` what it is the result of, ``path`` its name in the folder."""

    id: int
    device: DeviceId
    number: int
    name: str
    media_type: str
    image: str | None
    size: int
    digest: bytes
    time: float
    received: float
    command: int | None
    path: str


class Used(Struct, frozen=True):
    """How much of its room a device uses, and how many files of it are kept where it has a rule of its own."""

    count: int
    bytes: int
    keep: int | None


def add_file(connection: sqlite3.Connection, row: FileRow, limits: FileLimits) -> tuple[FileRow, list[str]]:
    """Enter a file; what is entered, and the paths of those that made way for it. Raises ``NotFound``."""
    check_device(connection, row.device)
    values = (row.name, row.media_type, row.image, row.size, row.digest)
    times = (milliseconds(row.time), milliseconds(row.received))
    change(connection, ADD, row.device, row.number, *values, *times, row.command, row.path)
    added = find(connection, file_row, BY_NUMBER, row.device, row.number)
    assert added is not None
    return added, [*_prune(connection, row.device, limits), *_prune_all(connection, limits)]


def set_keep(connection: sqlite3.Connection, device: DeviceId, keep: int | None, limits: FileLimits) -> list[str]:
    """Keep so many files of a device from now on; the paths of those that go."""
    check_device(connection, device)
    change(connection, SET_KEEP, keep, device)
    return _prune(connection, device, limits)


def remove_file(connection: sqlite3.Connection, device: DeviceId, id: int) -> list[str]:
    """Forget a file; its path. Raises ``NotFound``."""
    paths = [path for (path,) in select(connection, DELETE, device, id)]
    if not paths:
        raise NotFound("There is no such file.")
    return paths


def used(connection: sqlite3.Connection, device: DeviceId) -> Used:
    """How much of its room a device uses."""
    [(count, size)] = select(connection, USED, device)
    return Used(count, size, _keep(connection, device))


def neighbours(connection: sqlite3.Connection, device: DeviceId, id: int) -> tuple[FileRow | None, ...]:
    """The file after that one, itself, and the one before; None for what is not there."""
    newer, itself, older = (find(connection, file_row, query, device, id) for query in (NEXT, BY_ID, BEFORE))
    return newer, itself, older


def all_paths(connection: sqlite3.Connection) -> frozenset[str]:
    """The paths of all files."""
    return frozenset(path for (path,) in select(connection, PATHS))


def newest_photos(connection: sqlite3.Connection) -> tuple[FileRow, ...]:
    """The newest picture of each device that has any."""
    return find_all(connection, file_row, NEWEST_PHOTOS)


def _prune(connection: sqlite3.Connection, device: DeviceId, limits: FileLimits) -> list[str]:
    keep = _keep(connection, device)
    count = limits.count if keep is None else min(keep, limits.count)
    return [path for (path,) in select(connection, DELETE_OLD, device, count, limits.bytes)]


def _prune_all(connection: sqlite3.Connection, limits: FileLimits) -> list[str]:
    """Whoever has most loses its oldest, so that nobody's greed costs the others their files.

    All are summed up once, however many have to go: others wait for the writer meanwhile.
    """
    found = select(connection, OF_EACH)
    held = {device: size for device, _, size in found}
    count, total = sum(count for _, count, _ in found), sum(held.values())
    gone: list[str] = []
    while count > 1 and (total > limits.total or count > MOST_FILES):
        largest = max(held, key=held.__getitem__)
        [(path, size)] = select(connection, DELETE_OLDEST, largest)
        gone.append(path)
        held[largest] -= size
        total -= size
        count -= 1
    return gone


def _keep(connection: sqlite3.Connection, device: DeviceId) -> int | None:
    found = select(connection, KEEP_OF, device)
    return found[0][0] if found else None


def file_row(row: Row) -> FileRow:
    """A row of the table."""
    id, device, number, name, media_type, image, size, digest, time, received, command, path = row
    return FileRow(
        id, device, number, name, media_type, image, size, digest, seconds(time), seconds(received), command, path
    )
