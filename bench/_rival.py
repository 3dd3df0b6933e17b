"""The rival: Mosquitto over TLS with client certificates, and a subscriber in Python that commits to SQLite."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread

from tests.processes import Program, free_port

CONFIGURATION = """
listener {port} 127.0.0.1
cafile {folder}/root.pem
certfile {folder}/server.pem
keyfile {folder}/server.pem
require_certificate true
allow_anonymous true
max_queued_messages 0
max_inflight_messages 0
set_tcp_nodelay true
user root
log_type error
"""
"""Nothing is limited, and nothing logged."""

PROGRAM = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


class Rival:
    """A broker and its subscriber. ``folder`` has certificates: ``root.pem``, ``server.pem`` and the devices'.

    The subscriber commits ``every`` so many seconds, or with each message (0).
    """

    def __init__(self, reactor: Any, folder: Path, every: float) -> None:
        assert PROGRAM is not None
        self.port = free_port()
        self._file = folder / f"rival-{self.port}.db"
        settings = folder / "mosquitto.conf"
        settings.write_text(CONFIGURATION.format(port=self.port, folder=folder))
        self._broker = Program(reactor, [PROGRAM, "-c", str(settings)])
        subscriber = [sys.executable, str(Path(__file__).with_name("_subscriber.py"))]
        words = [*subscriber, str(self.port), str(folder), str(self._file), str(every)]
        self._subscriber = Program(reactor, words)
        self.pids = [self._broker.pid, self._subscriber.pid]

    async def start(self) -> None:
        """Done when the subscriber listens."""
        await self._subscriber.until("ready")

    async def stored(self) -> int:
        """How many readings are in its table."""
        return await deferToThread(_count, self._file)

    async def stop(self) -> None:
        """End both."""
        for program in (self._subscriber, self._broker):
            await program.end()


def _count(file: Path) -> int:
    with closing(sqlite3.connect(file, timeout=30)) as connection:
        [(count,)] = connection.execute("SELECT count(*) FROM reading")
    return int(count)
