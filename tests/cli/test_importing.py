"""``iotcenter import``, and how long things are kept."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from datetime import UTC
from typing import Any

from iotcenter.model import Value
from iotcenter.web.api.tables import Table, value_of
from tests.cli.support import CommandLineCase

READINGS = "POST /api/v1/imports/readings"
LINES = "POST /api/v1/imports/lines"
ADDED = {"added": 2, "known": 0, "refused": []}


class ImportTests(CommandLineCase):
    """Files of different kinds."""

    def setUp(self) -> None:
        super().setUp()
        self.start()
        self.answers(READINGS, ADDED)
        self.answers(LINES, ADDED)

    def file(self, text: str) -> str:
        """A file with that in it."""
        path = self.directory / "file.csv"
        path.write_text(text)
        return str(path)

    def sent(self) -> list[Any]:
        """What went to the server."""
        return [body for _, body in self.script.asked]

    def test_csv(self) -> None:
        """Rows go out by device and series, as what they are; those that cannot be used are named with their line."""
        text = (
            "Device,time,series,value\n"
            "attic,1790000000,t,20.5\n"
            "attic,2026-09-21T14:13:21Z,t,-1\n"
            "attic,soon,t,3\n"
            "cellar,1790000000,door,true\n"
            "cellar,1790000000,door,'12\n"
            "cellar,,door,1\n"
        )
        line = self.line("import", self.file(text), "--as", "cellar=garage")
        self.assertEqual(
            self.sent(),
            [
                {
                    "device": "attic",
                    "add_device": False,
                    "series": "t",
                    "readings": [[1790000000.0, 20.5], [1790000001.0, -1.0]],
                },
                {
                    "device": "garage",
                    "add_device": False,
                    "series": "door",
                    "readings": [[1790000000.0, True], [1790000000.0, "12"]],
                },
            ],
        )
        self.assertIn("row 4: its time is 'soon'", line)
        self.assertIn("row 7: a cell is empty", line)
        self.assertIn("4 added, 0 were there already, 2 cannot be used", line)

    def test_own_export(self) -> None:
        """What ``readings --csv`` wrote comes back in, every value as what it was."""
        values: list[Value] = [1.5, -0.25, 5e-324, True, "open", "12", "true", "", "'", "=1", "nan"]
        table = Table("door", "Cel", UTC)
        rows = [(1_790_000_000.0 + at, value) for at, value in enumerate(values)]
        text = (table.raw_titles() + table.raw(rows)).decode()
        self.line("import", self.file(text), "--device", "attic")
        [body] = self.sent()
        self.assertEqual((body["device"], body["series"]), ("attic", "door"))
        self.assertEqual(
            [(time, type(value), value) for time, value in body["readings"]],
            [(time, type(value), value) for time, value in rows],
        )

    def test_pieces(self) -> None:
        """A long file goes out in pieces that the server takes."""
        rows = "".join(f"attic,t,{1790000000 + at},{'x' * (200 if at < 500 else 1)}\n" for at in range(3000))
        self.line("import", self.file(f"device,series,time,value\n{rows}"))
        self.assertEqual(sum(len(body["readings"]) for body in self.sent()), 3000)
        self.assertLess(max(len(json.dumps(body)) for body in self.sent()), 64 * 1024)

    def test_refused(self) -> None:
        """A piece that the server refuses is given up row by row; nothing usable at all makes the status 1."""
        self.answers(READINGS, {"error": {"code": "not_found", "message": "there is no device named attic"}}, 404)
        line = self.line("import", self.file("device,series,time,value\nattic,t,1790000000,1\n"), status=1)
        self.assertIn("row 2: there is no device named attic", line)
        self.line("import", self.file("a,b\n1,2\n"), status=1)
        self.assertIn("the first line must name the columns", self.error)
        self.line("import", "/nowhere.csv", status=1)
        self.assertIn("No such file", self.error)
        endless = self.file("device,series,time,value\n")
        os.truncate(endless, 2**36)
        self.line("import", endless, status=1)
        self.assertIn("a line is longer than", self.error)

    def test_old_database(self) -> None:
        """The database of IotCenter 1: its readings and logs, by the devices' ids."""
        path = self.directory / "iot.db"
        with closing(sqlite3.connect(path)) as old, old:
            old.executescript(OLD)
        line = self.line("import", str(path), "--add-devices", "--as", "00ff=greenhouse", "--json")
        self.assertEqual(
            [(name.rpartition("/")[2], body["device"]) for name, body in self.script.asked],
            [
                ("readings", "greenhouse"),
                ("lines", "greenhouse"),
            ],
        )
        first, second = self.sent()
        self.assertEqual((first["series"], first["readings"]), ("air-temp", [[1400000000.0, 20.5], [1400000060.0, 21]]))
        self.assertEqual(second["lines"], [[1400000000.0, "started"]])
        self.assertEqual(json.loads(line)["unusable"], 2)


OLD = """
    CREATE TABLE readings (time, deviceId, sensorId, addressId, numberValue);
    CREATE TABLE devices (id, hex);
    CREATE TABLE sensors (id, name);
    CREATE TABLE addresses (id, protocol, ip);
    CREATE TABLE logs (time, deviceId, addressId, text);
    INSERT INTO devices VALUES (1, '00FF');
    INSERT INTO sensors VALUES (1, 'air temp');
    INSERT INTO readings VALUES
        (1400000000, 1, 1, 1, 20.5), (1400000060000, 1, 1, 1, 21), (1400000000, 2, 1, 1, 1),
        (1400000000, 1, 1, 1, NULL);
    INSERT INTO logs VALUES (1400000000, 1, 1, 'started');
"""


class RetentionTests(CommandLineCase):
    """``iotcenter device retention``."""

    def test_set(self) -> None:
        """A series is kept for so many days."""
        path = "/api/v1/devices/attic/retention"
        rule = {"raw": 30, "minutes": None, "hours": 0, "days": None}
        self.answers(f"PATCH {path}", rule)
        self.answers(f"GET {path}", {"t": rule})
        self.start()
        shown = "t\t30 days\tas configured\tfor ever\tas configured\n"
        self.assertEqual(self.line("device", "retention", "attic", "t", "--raw", "30", "--hours", "0"), shown)
        self.assertEqual(self.script.asked[0][1], {"series": "t", **rule})
        self.assertEqual(self.line("device", "retention", "attic"), shown)


class ValueTests(CommandLineCase):
    """What a cell means."""

    def test_texts(self) -> None:
        """What only resembles a number is a text."""
        for text in ("nan", "inf", "1_0", "٣", "0x10", "True"):
            self.assertEqual(value_of(text), text)
