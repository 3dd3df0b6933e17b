"""The rival's subscriber: what comes from Mosquitto goes into SQLite.

``python _subscriber.py PORT FOLDER FILE SECONDS`` commits every so many seconds, or with each message (0). It says
"ready" when it listens. ``FOLDER`` has its certificate.
"""

from __future__ import annotations

import contextlib
import sqlite3
import ssl
import sys
import time
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from iotcenter.wire.codec import decode

TABLE = """
    CREATE TABLE reading (series INTEGER, time REAL, sequence INTEGER, value, PRIMARY KEY (series, time, sequence))
    WITHOUT ROWID
"""
ADD = "INSERT OR IGNORE INTO reading VALUES (?, ?, ?, ?)"

LONGEST_WAIT = 0.02
"""Seconds that it waits for something to come before it looks whether to commit."""


class Subscriber:
    """Gathers readings and commits them."""

    def __init__(self, file: Path, every: float) -> None:
        self._every = every
        self._rows: list[tuple[object, ...]] = []
        self._series: dict[tuple[str, str], int] = {}
        self._committed = time.monotonic()
        self._connection = sqlite3.connect(file, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute(TABLE)

    def run(self, port: int, folder: Path) -> None:
        """Subscribe, and commit what comes, for ever."""
        client = Client(CallbackAPIVersion.VERSION2, "subscriber")
        certificate = str(folder / "device-0.pem")
        client.tls_set(str(folder / "root.pem"), certificate, certificate, cert_reqs=ssl.CERT_REQUIRED)
        client.tls_insecure_set(True)  # the server's certificate names no address
        client.on_message = self._take
        client.on_connect = lambda *_: client.subscribe("readings/#", 1)
        client.on_subscribe = lambda *_: print("ready", flush=True)
        _connect(client, port)
        while True:
            client.loop(LONGEST_WAIT)
            if self._rows and time.monotonic() - self._committed >= self._every:
                self._commit()

    def _take(self, client: Client, data: Any, message: Any) -> None:
        report = decode(message.payload)
        sequence = report.sequence
        for reading in report.readings:
            series = self._series.setdefault((message.topic, reading.name), len(self._series))
            self._rows.append((series, reading.time, sequence, reading.value))
            sequence += 1
        if not self._every:
            self._commit()

    def _commit(self) -> None:
        self._connection.execute("BEGIN")
        self._connection.executemany(ADD, self._rows)
        self._connection.execute("COMMIT")
        self._rows.clear()
        self._committed = time.monotonic()


def _connect(client: Client, port: int) -> None:
    """The broker may still be starting."""
    deadline = time.monotonic() + 10.0
    while time.monotonic() < deadline:
        with contextlib.suppress(ConnectionRefusedError):
            client.connect("127.0.0.1", port)
            return
        time.sleep(0.02)
    raise SystemExit("Mosquitto lets nobody in")


if __name__ == "__main__":
    Subscriber(Path(sys.argv[3]), float(sys.argv[4])).run(int(sys.argv[1]), Path(sys.argv[2]))
