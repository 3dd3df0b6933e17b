"""Devices for the registrar, as the API and the pages add them."""

from __future__ import annotations

from iotcenter.model import Role
from iotcenter.wire.registrar.packets import Register
from tests.web.support import WebTestCase

ROW = {"device_id": "Cam 1", "password": "correct horse", "mac": "00:11:22:33:44:55", "ip": "10.0.0.1", "port": 5000}


class RegisteringTests(WebTestCase):
    """What the owner does for them."""

    async def test_add(self) -> None:
        """A device that was added may register; while the registrar is off there is no line for it."""
        admin = await self.program(Role.ADMIN)
        body = {"name": "cam-1", "transport": "registrar"}
        answer = await self.ask("POST", "/api/v1/devices", admin, json=body)
        self.assertEqual((answer.status, answer.json()["line"]), (201, ""))
        self.assertEqual((await self.ask("POST", "/api/v1/devices", admin, json=body)).status, 409)
        packet = Register("cam-1", "secret", "00:11:22:33:44:55", "10.0.0.1", 5000)
        code = await self.parts.registrations.register(packet, "127.0.0.1", False)
        self.assertEqual(code, "00")

    async def test_line(self) -> None:
        """The line names the best way that is open, and the authority to trust on it."""
        admin = await self.program(Role.ADMIN)
        ways = {"registrar-udp": "--plain udp", "registrar": f"--fingerprint {self.authority.fingerprint.hex()}"}
        for number, (port, way) in enumerate(ways.items()):
            self.parts.ports.transports[port] = ("127.0.0.1", 9997)
            body = {"name": f"cam-{number}", "transport": "registrar", "address": "center.example.org"}
            line = (await self.ask("POST", "/api/v1/devices", admin, json=body)).json()["line"]
            self.assertEqual(line, f"iotdevice registrar cam-{number} center.example.org 9997 5000 {way}")

    async def test_page(self) -> None:
        """The page has a form for them where the registrar is on; it leads to the line, or says what is wrong."""
        admin = await self.user(Role.ADMIN)
        self.assertNotIn("/add-registrar-device", (await self.ask("GET", "/add-device", admin)).body.decode())
        self.parts.ports.transports["registrar"] = ("127.0.0.1", 9997)
        self.assertIn("/add-registrar-device", (await self.ask("GET", "/add-device", admin)).body.decode())
        added = await self.ask("POST", "/add-registrar-device", admin, form={"name": "cam-1"})
        self.assertEqual((added.status, added.header("location")), (303, "/devices/cam-1/registration"))
        page = await self.ask("GET", "/devices/cam-1/registration", admin)
        self.assertIn("iotdevice registrar cam-1", page.body.decode())
        again = await self.ask("POST", "/add-registrar-device", admin, form={"name": "cam-1"})
        self.assertEqual(again.status, 422)
        self.assertIn("That name is taken", again.body.decode())

    async def test_bring(self) -> None:
        """A device of another registrar is taken in once; what it cannot have is refused in words."""
        admin = await self.program(Role.ADMIN)
        for added in (True, False):
            answer = await self.ask("POST", "/api/v1/registrations", admin, json=ROW)
            self.assertEqual((answer.status, answer.json()["added"]), (201, added))
        for change, word in (({"mac": "x"}, "MAC"), ({"device_id": "cam\t2"}, "TAB"), ({"device_id": "b"}, "another")):
            answer = await self.ask("POST", "/api/v1/registrations", admin, json={**ROW, **change})
            self.assertIn(answer.status, (403, 422))
            self.assertIn(word, answer.json()["error"]["message"])
        operator = await self.program(Role.OPERATOR)
        self.assertEqual((await self.ask("POST", "/api/v1/registrations", operator, json=ROW)).status, 403)
