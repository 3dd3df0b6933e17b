"""The API's imports and retention."""

from __future__ import annotations

from typing import Any

from iotcenter.model import Role
from tests.web.support import Visitor, WebTestCase

START = 1_790_000_000.0


class ImportTests(WebTestCase):
    """What other programs measured."""

    async def bring(self, visitor: Visitor, **body: Any) -> Any:
        """Import something into the attic."""
        what = "lines" if "lines" in body else "readings"
        answer = await self.ask("POST", f"/api/v1/imports/{what}", visitor, json={"device": "attic", **body})
        return answer.json() | {"status": answer.status}

    async def test_readings(self) -> None:
        """They are there then, once, and the newest is the device's."""
        admin = await self.program(Role.ADMIN)
        readings = [[START, 20], [START + 60, 21.5], [5, 1.0]]
        self.assertEqual((await self.bring(admin, series="t", readings=readings))["status"], 404)
        for added, known in ((2, 0), (0, 2)):
            found = await self.bring(admin, series="t", readings=readings, add_device=True)
            self.assertEqual((found["added"], found["known"], found["refused"][0]["place"]), (added, known, 2))
        answer = await self.ask("GET", f"/api/v1/readings?device=attic&series=t&from={START:.0f}&step=0", admin)
        self.assertEqual(answer.json()["v"], [20.0, 21.5])
        self.assertEqual(self.center.devices.named("attic").latest["t"], (21.5, START + 60))

    async def test_lines(self) -> None:
        """Lines stand in the device's log."""
        admin = await self.program(Role.ADMIN)
        found = await self.bring(admin, lines=[[START, "hello"]], add_device=True)
        self.assertEqual(found["added"], 1)
        logs = (await self.ask("GET", "/api/v1/devices/attic/logs", admin)).json()
        self.assertEqual([line["text"] for line in logs], ["hello"])

    async def test_roles(self) -> None:
        """Only who may do everything may rewrite the past."""
        operator = await self.program(Role.OPERATOR)
        self.assertEqual((await self.bring(operator, series="t", readings=[]))["status"], 403)


class RetentionTests(WebTestCase):
    """For how long readings are kept."""

    async def test_change(self) -> None:
        """A series has a rule of its own, and shows it; one that there is not is named."""
        admin = await self.program(Role.ADMIN)
        body = {"device": "attic", "series": "t", "readings": [[START, 1]], "add_device": True}
        await self.ask("POST", "/api/v1/imports/readings", admin, json=body)
        path = "/api/v1/devices/attic/retention"
        answer = await self.ask("PATCH", path, admin, json={"series": "t", "raw": 30, "days": 0})
        rule = {"raw": 30, "minutes": None, "hours": None, "days": 0}
        self.assertEqual((answer.status, answer.json()), (200, rule))
        self.assertEqual((await self.ask("GET", path, admin)).json(), {"t": rule})
        answer = await self.ask("PATCH", path, admin, json={"series": "u"})
        self.assertEqual(answer.status, 404)
