"""``iotdevice status``: how a device stands, read from its data directory; the agent may run or not."""

from __future__ import annotations

import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path

from iotdevice import spool, spool_sql
from iotdevice.config import ConfigError, load_settings
from iotdevice.credentials import BadCredentials, load_credentials
from iotdevice.lock import holder


class Unknown(Exception):
    """There is nothing to say of the device; the text says why."""


def status(directory: Path) -> list[str]:
    """The lines that tell how the device of ``directory`` stands. Raises ``Unknown``."""
    try:
        credentials = load_credentials(directory)
        if credentials is None:
            raise Unknown(f"{directory} is not enrolled: run iotdevice enroll TOKEN --data {directory}")
        settings = load_settings(directory)
        pid = holder(directory)
    except (BadCredentials, ConfigError) as error:
        raise Unknown(str(error)) from None
    except OSError as error:
        raise Unknown(f"{directory}: {error.strerror}") from None
    name, waiting, lost = _spooled(directory / spool.FILE)
    days = (credentials.expires - time.time()) / 86400
    until = datetime.fromtimestamp(credentials.expires, UTC)
    return [
        f"Device       {name or 'not connected yet'} (id {credentials.device})",
        f"Server       {settings.server}",
        f"Certificate  until {until:%Y-%m-%d %H:%M} UTC ({days:.0f} days)"
        if days > 0
        else "Certificate  expired: it is renewed when there is a link",
        f"Agent        {'not running' if pid is None else f'running, process {pid}'}",
        f"Spool        {waiting} readings wait, {lost} were lost",
    ]


def _spooled(path: Path) -> tuple[str, str, int]:
    """The device's name, how many readings wait, and how many were lost."""
    if not path.exists():
        return "", "0", 0
    try:
        db = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
        try:
            facts = dict(db.execute(spool_sql.FACTS))
            return facts.get("name", ""), str(db.execute(spool_sql.COUNT).fetchone()[0]), facts.get("lost", 0)
        finally:
            db.close()
    except sqlite3.Error:
        return "", "an unknown number of", 0
