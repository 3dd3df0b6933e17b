"""Devices over UDP, as the API and the pages make and keep them."""

from __future__ import annotations

from iotcenter.model import Role
from iotcenter.web.udp_key import UdpKeyForms
from tests.web.support import WebTestCase


class UdpTests(WebTestCase):
    """Keys, counters, version 1."""

    async def add(self, transport: str = "udp") -> dict[str, str]:
        """A device, by the API."""
        self.admin = await self.program(Role.ADMIN)
        answer = await self.ask("POST", "/api/v1/devices", self.admin, json={"name": "chip", "transport": transport})
        self.assertEqual(answer.status, 201, answer.body)
        added: dict[str, str] = answer.json()
        return added

    async def test_add(self) -> None:
        """A device over UDP is given its id and its key, and needs no token."""
        added = await self.add()
        self.assertEqual(list(added), ["name", "id", "key"])
        entry = self.accounts.udp.find(bytes.fromhex(added["id"]))
        assert entry is not None
        self.assertEqual((entry.key.hex(), entry.version1), (added["key"], False))
        self.assertEqual(self.parts.center.devices.get("chip").transport, "udp")
        self.assertNotIn(added["key"], repr(entry) + repr(UdpKeyForms(added["id"], added["key"])))

    async def test_version_1(self) -> None:
        """A device of version 1 is taken on its packets; its counter is reset, and version 1 allowed, on demand."""
        added = await self.add("udp-v1")
        entry = self.accounts.udp.find(bytes.fromhex(added["id"]))
        assert entry is not None
        self.assertTrue(entry.version1)
        await self.accounts.udp.counted(entry, 7)
        entry.version1 = False
        for path in ("reset-counter", "allow-v1"):
            answer = await self.ask("POST", f"/api/v1/devices/chip/{path}", self.admin)
            self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual((entry.received, entry.version1), (None, True))

    async def test_new_key(self) -> None:
        """A new key replaces the old one, and lets a revoked device in again."""
        added = await self.add()
        await self.ask("POST", "/api/v1/devices/chip/revoke", self.admin)
        self.assertIsNone(self.accounts.udp.find(bytes.fromhex(added["id"])))
        answer = await self.ask("POST", "/api/v1/devices/chip/udp-key", self.admin)
        self.assertEqual((answer.json()["id"], answer.json()["key"] != added["key"]), (added["id"], True))
        self.assertFalse(self.parts.center.devices.get("chip").revoked)

    async def test_master_key(self) -> None:
        """The master key of an old installation is set and removed; what cannot be one is refused."""
        admin = await self.program(Role.ADMIN)
        for key, status in (("ab" * 32, 204), ("ab", 422), ("zz" * 32, 422), ("ab" * 65, 422)):
            answer = await self.ask("POST", "/api/v1/udp/master-key", admin, json={"key": key})
            self.assertEqual(answer.status, status, key)
        self.assertEqual(self.accounts.udp.master, b"\xab" * 32)
        await self.ask("DELETE", "/api/v1/udp/master-key", admin)
        self.assertIsNone(self.accounts.udp.master)

    async def test_pages(self) -> None:
        """People are shown id and key once, in each form; names that cannot be are refused beside their field."""
        admin = await self.user(Role.ADMIN)
        page = (await self.ask("POST", "/add-udp-device", admin, form={"name": "chip"})).body.decode()
        known = self.parts.center.devices.named("chip")
        entry = self.accounts.udp.find(bytes.fromhex(known.id))
        assert entry is not None
        forms = UdpKeyForms(known.id, entry.key.hex())
        for text in (forms.id, forms.key, forms.c(), "<svg"):
            self.assertIn(text, page)
        for name in ("chip", "Not a name"):
            answer = await self.ask("POST", "/add-udp-device", admin, form={"name": name})
            self.assertEqual(answer.status, 422)
            self.assertIn('id="udp-fault"', answer.body.decode())
        shown = (await self.ask("GET", "/devices/chip", admin)).body.decode()
        self.assertIn("/devices/chip/udp-key", shown)
        self.assertNotIn(forms.key, shown)
        answer = await self.ask("POST", "/devices/chip/udp-key", admin, form={})
        self.assertEqual(answer.status, 422)
        answer = await self.ask("POST", "/devices/chip/udp-key", admin, form={"sure_key": "yes"})
        self.assertIn("shown this once", answer.body.decode())
        for path in ("reset-counter", "allow-v1"):
            answer = await self.ask("POST", f"/devices/chip/{path}", admin, form={})
            self.assertEqual(answer.status, 303, answer.body)

    async def test_for_admins(self) -> None:
        """Keys are for administrators."""
        await self.add()
        operator = await self.user(Role.OPERATOR)
        for path in ("/devices/chip/udp-key", "/add-udp-device", "/devices/chip/allow-v1"):
            self.assertEqual((await self.ask("POST", path, operator, form={"name": "x"})).status, 403)


class FormTests(WebTestCase):
    """What goes into programs."""

    def test_c(self) -> None:
        """An array for C, in lines that fit."""
        forms = UdpKeyForms("00112233445566778899aabbccddeeff", "ab" * 32)
        self.assertIn("const uint8_t ID[16] IOTCENTER_FLASH = {\n    0x00, 0x11,", forms.c())
        self.assertIn("const uint8_t KEY[32] IOTCENTER_FLASH = {\n    0xab,", forms.c())
        self.assertEqual(forms.c().count("0x"), 48)
        names: dict[str, dict[str, str]] = {}
        exec(forms.micropython(), names)
        self.assertEqual(names["DEVICE"], {"id": forms.id, "key": forms.key})
