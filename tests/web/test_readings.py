"""The API's readings."""

from __future__ import annotations

import csv
import io

from twisted.internet.defer import Deferred, fail

from iotcenter.model import Reading, Role
from iotcenter.storage.answers import Key, Page
from iotcenter.storage.errors import DiskFault
from iotcenter.storage.history import READINGS_OF_A_PAGE
from iotcenter.web import paced
from tests.web.support import Visitor, WebTestCase

START = 1_790_000_000.0
QUERY = f"device=kitchen-pi&series=temperature&from={START:.0f}&to={START + 86400:.0f}"


class ReadingsTestCase(WebTestCase):
    """Has a device that reported."""

    async def measure(self, *values: float | bool | str, series: str = "temperature") -> Visitor:
        """A device that reported a value each second from START on, and somebody who may look at it."""
        _, attachment = await self.device()
        for first in range(0, len(values), 1000):
            readings = (
                Reading(series, value, START + first + at) for at, value in enumerate(values[first : first + 1000])
            )
            await self.report(attachment, *readings, sequence=first + 1)
        return await self.program(Role.VIEWER)


class ColumnTests(ReadingsTestCase):
    """Readings in JSON."""

    async def test_raw(self) -> None:
        """Raw readings are two columns."""
        viewer = await self.measure(20.5, 21.0)
        answer = await self.ask("GET", f"/api/v1/readings?{QUERY}&step=0", viewer)
        self.assertEqual(answer.json(), {"t": [START, START + 1], "v": [20.5, 21.0], "step": 0.0})

    async def test_buckets(self) -> None:
        """With a step, each bucket is summed up."""
        viewer = await self.measure(*range(120))
        answer = await self.ask("GET", f"/api/v1/readings?{QUERY}&step=60", viewer)
        columns = answer.json()
        self.assertEqual(list(columns), ["t", "count", "min", "max", "mean", "last", "step"])
        self.assertEqual((sum(columns["count"]), columns["min"][0], columns["max"][-1]), (120, 0.0, 119.0))

    async def test_step(self) -> None:
        """Without a step, or with ``auto``, the finest that fits is taken, and the answer says which it was."""
        viewer = await self.measure(*range(120))
        for more in ("", "&step=auto"):
            columns = (await self.ask("GET", f"/api/v1/readings?{QUERY}{more}", viewer)).json()
            self.assertEqual((columns["step"], sum(columns["count"])), (60.0, 120))
        answer = await self.ask("GET", f"/api/v1/readings?{QUERY}&step=soon", viewer)
        self.assertEqual((answer.status, list(answer.json()["error"]["fields"])), (422, ["step"]))

    async def test_zone(self) -> None:
        """Days begin at midnight in the zone that is asked for; one that there is not is named."""
        viewer = await self.measure(1.0)
        query = f"/api/v1/readings?{QUERY}&step=86400"
        columns = (await self.ask("GET", f"{query}&zone=Asia/Kolkata", viewer)).json()
        self.assertEqual(columns["t"], [1_789_929_000.0])
        answer = await self.ask("GET", f"{query}&zone=Moon/Base", viewer)
        self.assertEqual((answer.status, list(answer.json()["error"]["fields"])), (422, ["zone"]))

    async def test_times(self) -> None:
        """Times are taken in three forms; one that is none is named."""
        viewer = await self.measure(1.0)
        for start, count in (("2026-09-21T00:00:00Z", 1), ("now-1s", 0), ("2026-09-21T16:13:20%2B02:00", 1)):
            answer = await self.ask(
                "GET", f"/api/v1/readings?device=kitchen-pi&series=temperature&from={start}", viewer
            )
            self.assertEqual((answer.status, len(answer.json().get("t", ()))), (200, count), answer.body)
        answer = await self.ask("GET", "/api/v1/readings?device=kitchen-pi&series=a&from=soon&to=later", viewer)
        self.assertEqual((answer.status, set(answer.json()["error"]["fields"])), (422, {"from", "to"}))

    async def test_too_much(self) -> None:
        """An answer that would be too long says which step makes it fit."""
        viewer = await self.measure(*range(10_001))
        answer = await self.ask("GET", f"/api/v1/readings?{QUERY}&step=0", viewer)
        self.assertEqual((answer.status, answer.code()), (422, "too_much"))
        self.assertIn("step", answer.json()["error"]["fields"])

    async def test_missing(self) -> None:
        """What is needed is named."""
        viewer = await self.program(Role.VIEWER)
        answer = await self.ask("GET", "/api/v1/readings", viewer)
        self.assertEqual((answer.status, list(answer.json()["error"]["fields"])), (422, ["device"]))


class CSVTests(ReadingsTestCase):
    """Readings in CSV."""

    async def rows(self, visitor: Visitor, query: str = QUERY) -> list[list[str]]:
        """The rows of an answer."""
        answer = await self.ask("GET", f"/api/v1/readings.csv?{query}", visitor)
        self.assertEqual((answer.status, answer.header("content-type")), (200, "text/csv; charset=utf-8"))
        return list(csv.reader(io.StringIO(answer.body.decode())))

    async def test_raw(self) -> None:
        """The title has the unit, and times are in the zone of who asks, with their offset."""
        await self.measure(20.5, -1.0)
        await self.parts.users.add("ann", Role.VIEWER, "correct horse", "Europe/Berlin")
        secret = await self.parts.sessions.create("ann")
        rows = await self.rows(Visitor({"Cookie": f"iotcenter_session={secret}"}))
        self.assertEqual(rows[0], ["time", "temperature (Cel)"])
        self.assertEqual(
            rows[1:], [["2026-09-21T16:13:20.000+02:00", "20.5"], ["2026-09-21T16:13:21.000+02:00", "-1.0"]]
        )

    async def test_buckets(self) -> None:
        """With a step, a row has what is in its bucket."""
        viewer = await self.measure(1.0, 2.0, 3.0)
        rows = await self.rows(viewer, f"{QUERY}&step=86400")
        self.assertEqual(rows[0][:3], ["time", "count", "min temperature (Cel)"])
        self.assertEqual(rows[1][1:], ["3", "1.0", "3.0", "2.0", "3.0"])

    async def test_many_buckets(self) -> None:
        """More buckets than a chart has are no reason to refuse a file."""
        viewer = await self.measure(*range(3000))
        rows = await self.rows(viewer, f"{QUERY}&step=1")
        self.assertEqual([float(row[5]) for row in rows[1:]], list(range(3000)))

    async def test_formulas(self) -> None:
        """Texts that a spreadsheet would take for formulas are marked as text; nothing breaks out of its cell."""
        viewer = await self.measure("=HYPERLINK(1)", "+1", "@x", 'a,"b"\nc', "open", True, series="door")
        rows = await self.rows(viewer, QUERY.replace("temperature", "door"))
        self.assertEqual([row[1] for row in rows[1:]], ["'=HYPERLINK(1)", "'+1", "'@x", 'a,"b"\nc', "open", "true"])

    async def test_long(self) -> None:
        """An answer of several pages is whole and in order."""
        count = 2 * READINGS_OF_A_PAGE + 7
        viewer = await self.measure(*range(count))
        rows = await self.rows(viewer)
        self.assertEqual([float(row[1]) for row in rows[1:]], list(range(count)))

    async def test_failure_half_way(self) -> None:
        """An answer that fails half-way breaks off, so that nobody takes it for whole."""
        viewer = await self.measure(*range(READINGS_OF_A_PAGE + 1))
        page = self.store.readings.page

        def fail_later(device: str, series: str, start: float, end: float, after: Key | None = None) -> Deferred[Page]:
            return page(device, series, start, end) if after is None else fail(DiskFault())

        self.patch(self.parts.store.readings, "page", fail_later)
        wire = await self.connect()
        head = f"GET /api/v1/readings.csv?{QUERY} HTTP/1.1\r\nHost: localhost\r\n"
        wire.write(f"{head}Authorization: {viewer.headers['Authorization']}\r\n\r\n".encode())
        said = await wire.lost
        self.assertIn(b"200 OK", said)
        self.assertFalse(said.endswith(b"\r\n0\r\n\r\n"))

    async def test_reader_that_does_not_read(self) -> None:
        """A reader that takes nothing costs no more than its buffers, and is given up after a while."""
        self.patch(paced, "PATIENCE", 0.3)
        viewer = await self.measure(*(f"{number:0250d}" for number in range(20_000)), series="door")
        wire = await self.connect()
        wire.transport.pauseProducing()  # type: ignore[union-attr]
        query = QUERY.replace("temperature", "door")
        token = viewer.headers["Authorization"]
        wire.write(
            f"GET /api/v1/readings.csv?{query} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {token}\r\n\r\n".encode()
        )
        held = await self.most_held()
        self.assertTrue(0 < held < 256 * 1024, held)
        wire.transport.resumeProducing()  # type: ignore[union-attr]
