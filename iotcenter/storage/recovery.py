"""What can be saved of a damaged database: all that can be read goes into a new one, and the damaged files are kept.

It is done at the start of a server, which goes on with what was saved. A start that is killed meanwhile is taken up by
the next: the files are moved first, the database itself last, and the new one takes its place when it is complete.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from twisted.logger import Logger

from iotcenter.storage.damage import Health
from iotcenter.storage.errors import NotWritable, driver_errors_in_words
from iotcenter.storage.salvage import copy_readable

FOLDER = "damaged"
"""Where in the data directory damaged files are kept."""

REPORT = "report.txt"

MAX_REPORT = 64 * 1024
"""Bytes of a report that are shown, many times what we write: the folder is anybody's who keeps the damaged files."""

SHOWN = {"device": "devices", "reading": "readings", "user": "users", "token": "API tokens", "command": "commands"}
"""The tables that people know, and what they call what is in them."""


_log = Logger()


def make_whole(database: Path) -> Health:
    """See to it that a database can be used, before anybody opens it. It blocks: for long where much is to be saved.

    Raises ``StorageError`` where nothing can be written.
    """
    try:
        with driver_errors_in_words():
            health = Health(database)
            folder, fault = health.mark.mending, health.mark.fault or health.examine()
            if fault is not None:
                folder = folder or time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime())
                health.mend(folder, fault)
                _log.error(
                    "The database {path} is damaged: {fault}. Saving what can be read", path=database, fault=fault
                )
                recover(database, folder, fault)
            health.begin()
    except OSError as error:
        raise NotWritable(f"The database {database} cannot be written: {error.strerror}.") from error
    return health


class Folder:
    """Where the files of one damaged database are kept."""

    def __init__(self, database: Path, name: str) -> None:
        self.place = database.parent / FOLDER / name
        self.kept = self.place / database.name
        self.report = self.place / REPORT
        self._database = database

    def set_aside(self) -> None:
        """Move the files there, those that were not yet. Raises ``OSError``."""
        self.place.mkdir(mode=0o700, parents=True, exist_ok=True)
        for suffix in ("-shm", "-wal", ""):
            file = Path(f"{self._database}{suffix}")
            if file.exists():
                file.rename(f"{self.kept}{suffix}")


def recover(database: Path, name: str, fault: str) -> None:
    """Set a damaged database aside in the folder ``name``, and make a new one of what can be read.

    Raises ``OSError`` and ``sqlite3.Error`` where that cannot be done, such as on a full disk: the next start takes it
    up.
    """
    folder = Folder(database, name)
    if folder.report.exists() and database.exists():
        return
    if not folder.kept.exists():
        folder.set_aside()
    fresh = database.with_name(f"{database.name}.new")
    for suffix in ("", "-wal", "-shm"):
        Path(f"{fresh}{suffix}").unlink(missing_ok=True)
    counts, unread = copy_readable(folder.kept, fresh)
    folder.report.write_text(_report(folder.place, fault, counts, unread), "utf-8")
    fresh.rename(database)


def reports(directory: Path) -> tuple[str, ...]:
    """What was said of each database whose damaged files are still kept in the data directory ``directory``."""
    found = []
    for file in sorted((directory / FOLDER).glob(f"*/{REPORT}")):
        with suppress(OSError), file.open("rb") as report:
            found.append(report.read(MAX_REPORT).decode("utf-8", "replace"))
    return tuple(found)


def _report(place: Path, fault: str, counts: Counter[str], unread: Iterable[str]) -> str:
    """What was found and saved, for people."""
    saved = ", ".join(f"{what} ({counts[table]})" for table, what in SHOWN.items())
    parts = [SHOWN.get(table, table) for table in unread]
    lost = f"Parts of these could not be read: {', '.join(parts)}." if parts else "Nothing else is missing."
    now = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    return (
        f"The database was damaged, as was found on {now}: {fault.rstrip('.')}. "
        f"Saved were {saved}. {lost} The damaged files are in {place}. "
        "If you have a backup, iotcenter restore brings it back; "
        "if not, go on with what was saved, and remove that folder: then this is not said any more."
    )
