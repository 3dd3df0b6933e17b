"""Schema changes: numbered files in ``schema/``, each applied once, in order, all in one transaction."""

from __future__ import annotations

import sqlite3
from importlib import resources
from typing import NamedTuple

from iotcenter.storage.errors import NewerSchema


class Migration(NamedTuple):
    """One step from the schema before it to its own."""

    number: int
    sql: str


def migrations() -> list[Migration]:
    """All that this version knows, in order; the last one's number is the current schema's."""
    files = resources.files("iotcenter.storage").joinpath("schema").iterdir()
    found = [Migration(int(file.name[:4]), file.read_text("utf-8")) for file in files if file.name.endswith(".sql")]
    return sorted(found)


def migrate(connection: sqlite3.Connection, target: int | None = None) -> None:
    """Bring the database to the newest schema, or to ``target``, or leave it as it was.

    Raises ``NewerSchema``, and ``sqlite3.Error``.
    """
    [(current,)] = connection.execute("PRAGMA user_version")
    known = [migration for migration in migrations() if target is None or migration.number <= target]
    newest = known[-1].number
    if current > newest:
        raise NewerSchema(
            f"The database is from a newer IotCenter (schema {current}, not {newest}): install that again."
        )
    steps = [migration.sql for migration in known if migration.number > current]
    if not steps:
        return
    script = ["BEGIN IMMEDIATE;", *steps, f"PRAGMA user_version = {newest};", "COMMIT;"]
    try:
        connection.executescript("\n".join(script))
    except sqlite3.Error:
        connection.rollback()
        raise
