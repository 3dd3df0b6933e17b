"""The database of the registrar's original server, which kept its passwords as they were typed."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from iotcenter.cli.api import Api
from iotcenter.cli.errors import CommandError, Refused
from iotcenter.cli.output import Answer, plain

HAS_TABLE = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'registrar'"
ROWS = "SELECT rowid, username, password, mac, ip, port FROM registrar ORDER BY rowid"

FIELDS = ("device_id", "password", "mac", "ip", "port")


def is_old_registrar(path: Path) -> bool:
    """Whether the file in ``path`` is such a database."""
    try:
        with path.open("rb") as file:
            if not file.read(16).startswith(b"SQLite format 3"):
                return False
        connection = _open(path)
    except OSError:
        return False
    try:
        return connection.execute(HAS_TABLE).fetchone() is not None
    except sqlite3.Error:
        return False
    finally:
        connection.close()


def import_registrar(api: Api, path: Path) -> Answer:
    """Register all devices of the database in ``path``. Those that are registered already stay as they are."""
    connection = _open(path)
    added, known, unusable = 0, 0, []
    try:
        for number, *values in connection.execute(ROWS):
            try:
                if api.post("registrations", body=_registration(values))["added"]:
                    added += 1
                else:
                    known += 1
            except (Refused, ValueError) as error:
                unusable.append({"row": number, "device_id": str(values[0]), "reason": str(error)})
    except sqlite3.Error as error:
        raise CommandError(f"{path} is no database of the old registrar: {error}") from None
    finally:
        connection.close()

    def show() -> None:
        for row in unusable:
            print(f"row {row['row']} ({plain(row['device_id'])}): {plain(row['reason'])}")
        print(f"{added} added, {known} were there already, {len(unusable)} cannot be used")

    data = {"added": added, "known": known, "unusable": len(unusable), "reasons": unusable}
    return Answer(data, show, 1 if unusable and not added and not known else 0)


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def _registration(values: list[Any]) -> dict[str, object]:
    """What the API takes. Raises ``ValueError`` for a row that has something else in its columns."""
    found = dict(zip(FIELDS, values, strict=True))
    for name, value in found.items():
        if value is None or isinstance(value, bytes):
            raise ValueError(f"its {name.replace('_', '-')} is missing")
    texts = {name: str(value).strip() if name != "password" else str(value) for name, value in found.items()}
    if not texts["port"].isdecimal() or len(texts["port"]) > 5:
        raise ValueError("its port is no number")
    return {**texts, "port": int(texts["port"])}
