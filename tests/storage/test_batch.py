"""The short way of reports into the tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.model import LARGEST, Reading
from iotcenter.storage import connections, intake
from iotcenter.storage.batch import Batch
from iotcenter.storage.entries import Entry, joined
from iotcenter.wire.codec import BadReading, DamagedReport
from iotcenter.wire.messages import Report
from tests.storage.support import GARDEN, KITCHEN, NOW

TABLES = ("series", "reading", "progress", "account")
"""Those of which no number depends on the order in which others were summed up."""

KEPT_FROM = int(NOW // 86400) - 2
"""From which day on the kitchen's series ``t`` is kept."""

READINGS = st.builds(
    Reading,
    st.sampled_from(["t", "t", "u", "no name"]),
    st.sampled_from([20.5, -0.0, LARGEST, -LARGEST, True, "open", "long" * 64, float("inf"), float("nan")]),
    st.sampled_from([NOW - 3 * 86400.0, NOW - 61.0, NOW - 1.0, NOW, NOW + 90_000.0, 7e8]),
)
BOOTS = st.sampled_from([0, 1, 1, 2, 3, 4, 5, 2**32 - 1])
NUMBERS = st.sampled_from([1, 2, 3, 4, 5, 6, 9, 2**32 - 1])
CLOCKS = st.sampled_from([0.0, NOW])
WHOLE = st.builds(Report, BOOTS, NUMBERS, st.lists(READINGS, min_size=1, max_size=3).map(tuple), CLOCKS)
DAMAGED = st.builds(
    lambda boot, sequence, reading: DamagedReport(
        boot, sequence, 2, 0.0, ((1, reading),), (BadReading(0, "no number"),)
    ),
    *(BOOTS, NUMBERS, READINGS),
)
ENTRIES = st.lists(
    st.builds(
        Entry,
        st.sampled_from([KITCHEN, KITCHEN, GARDEN, "f" * 32]),
        st.one_of(WHOLE, WHOLE, WHOLE, DAMAGED),
        st.sampled_from([NOW, NOW + 1]),
    ),
    max_size=12,
)


class Tables:
    """A database with two devices."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        connections.prepare(path)
        self.connection = sqlite3.connect(path, isolation_level=None)
        connections.as_writer(self.connection)
        self.connection.execute("PRAGMA synchronous = OFF")
        self.connection.execute(
            "INSERT INTO device (id, name, transport, created) VALUES (?, 'k', 'tls', 0), (?, 'g', 'tls', 0)",
            (KITCHEN, GARDEN),
        )
        self.connection.execute("INSERT INTO series (device, name, raw_from) VALUES (?, 't', ?)", (KITCHEN, KEPT_FROM))
        self._intake = intake.Intake()

    def store(self, entries: Iterable[Entry]) -> None:
        """Store ``entries`` in one commit."""
        self.connection.execute("BEGIN IMMEDIATE")
        self._intake.store(self.connection, list(entries))
        self.connection.execute("COMMIT")

    def all(self) -> dict[str, list[Any]]:
        """What is in them."""
        return {
            table: self.connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3").fetchall() for table in TABLES
        }


class LongWay(Batch):
    """A batch to which no report is plain."""

    def _take_plain(self, *_: Any) -> None:
        """There is no short way."""


class BatchTests(SynchronousTestCase):
    """Many reports in one commit."""

    @settings(max_examples=40, suppress_health_check=list(HealthCheck))
    @given(st.lists(ENTRIES, min_size=1, max_size=3))
    def test_same_as_the_long_way(self, commits: list[list[Entry]]) -> None:
        """Whatever comes: joined and together it leaves the same in the tables as report by report."""
        short, long = Tables(Path(self.mktemp())), Tables(Path(self.mktemp()))
        with closing(short.connection), closing(long.connection):
            for entries in commits:
                short.store(joined(entries))
                patch = self.patch(intake, "Batch", LongWay)
                for entry in entries:
                    long.store([entry])
                patch.restore()
                self.assertEqual(short.all(), long.all())
