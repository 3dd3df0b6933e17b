"""The commands about devices."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tests.cli.support import CommandLineCase, Keyboard

DEVICE: dict[str, Any] = {
    "name": "kitchen-pi",
    "id": "0" * 32,
    "transport": "tls",
    "state": "online",
    "reason": "",
    "last_seen": 1790000000.0,
    "address": "192.168.1.7",
    "agent": "iotdevice 1.0.0",
    "app": "running",
    "app_detail": "",
    "revoked": False,
    "series": [{"name": "temperature", "value": 21.4567, "unit": "Cel", "decimals": 1, "time": 1790000000.0}],
    "commands": [{"name": "identify"}, {"name": "reboot"}],
    "clock": "wrong",
    "clock_offset": -10810.0,
    "account": {"received": 12, "duplicates": 1, "late": 0, "lost": 0, "refused": 0},
}
ENROLLMENT = {"token": "iot1_abc", "line": "curl -fsSk https://host/join/x | sh", "id": 3}


class DeviceTests(CommandLineCase):
    """``iotcenter device`` and ``iotcenter enroll``."""

    def setUp(self) -> None:
        super().setUp()
        self.start()

    def test_list_in_a_pipe(self) -> None:
        """In a pipe there is a line for each device, with tabs between the cells, and nothing where there is none."""
        self.answers("GET /api/v1/devices", [DEVICE, {**DEVICE, "name": "attic", "revoked": True, "last_seen": None}])
        first, second = self.line("device", "list").splitlines()
        self.assertEqual(first.split("\t")[:3], ["kitchen-pi", "online", "tls"])
        self.assertEqual(second.split("\t"), ["attic", "revoked", "tls", "never"])
        self.answers("GET /api/v1/devices", [])
        self.assertEqual(self.line("device", "list"), "")

    def test_list_on_a_terminal(self) -> None:
        """On a terminal there is a table with titles, and a hint where there is nothing to show."""
        self.patch(os, "environ", {**os.environ, "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "100"})
        self.answers("GET /api/v1/devices", [DEVICE])
        titles, row = self.line("device", "list", terminal=True).splitlines()
        self.assertEqual(titles.split(), ["Name", "State", "Transport", "Seen"])
        self.assertEqual(row.split()[:3], ["kitchen-pi", "online", "tls"])
        self.answers("GET /api/v1/devices", [])
        self.assertIn("iotcenter enroll NAME", self.line("device", "list", terminal=True))

    def test_json(self) -> None:
        """With --json it is what the API answers, word for word."""
        self.answers("GET /api/v1/devices/kitchen-pi", DEVICE)
        self.assertEqual(json.loads(self.line("device", "show", "kitchen-pi", "--json")), DEVICE)

    def test_show(self) -> None:
        """One device is shown with its newest values."""
        self.answers("GET /api/v1/devices/kitchen-pi", DEVICE)
        shown = self.line("device", "show", "kitchen-pi")
        self.assertIn("Commands     identify, reboot\n", shown)
        self.assertIn("Readings     12 received, 1 duplicates, 0 late, 0 lost, 0 refused\n", shown)
        self.assertIn("temperature\t21.5\tCel\t", shown)
        self.assertNotIn("Why", shown)
        self.assertIn("Clock        3 h behind: the times of readings are set right\n", shown)

    def test_hostile_text(self) -> None:
        """What a device wrote cannot steer the terminal."""
        self.answers("GET /api/v1/devices/kitchen-pi", {**DEVICE, "agent": "\x1b]0;owned\x07\u202e"})
        shown = self.line("device", "show", "kitchen-pi", terminal=True)
        self.assertIn("\\x1b]0;owned\\x07\\u202e", shown)

    def test_enroll(self) -> None:
        """Enrolling gives the line to paste; for programs, the token and the line."""
        self.answers("POST /api/v1/enrollments", ENROLLMENT, status=201)
        self.assertIn("  curl -fsSk https://host/join/x | sh\n", self.line("enroll", "kitchen-pi"))
        self.assertEqual(json.loads(self.line("enroll", "kitchen-pi", "--json"))["token"], "iot1_abc")

    def test_token_for_another_way(self) -> None:
        """A token may last longer, and send the device to an address that the server does not know of itself."""
        self.answers("POST /api/v1/enrollments", ENROLLMENT, status=201)
        self.line("enroll", "kitchen-pi", "--lifetime", "2h", "--address", "center.example")
        wanted = {"name": "kitchen-pi", "lifetime": 7200.0, "address": "center.example"}
        self.assertEqual(self.script.asked, [("POST /api/v1/enrollments", wanted)])

    def test_add(self) -> None:
        """Adding makes the device itself, so that a name that is taken is refused, and its token."""
        self.answers("POST /api/v1/devices", {**ENROLLMENT, "name": "kitchen-pi"}, status=201)
        self.assertIn("  iotdevice enroll iot1_abc\n", self.line("device", "add", "kitchen-pi"))

    def test_rename(self) -> None:
        """A device takes its new name."""
        self.answers("PATCH /api/v1/devices/kitchen-pi", {**DEVICE, "name": "attic-pi"})
        self.assertEqual(self.line("device", "rename", "kitchen-pi", "attic-pi"), "kitchen-pi is now attic-pi\n")
        self.assertEqual(self.script.asked[0][1], {"name": "attic-pi"})

    def test_asks_first(self) -> None:
        """On a terminal, removing and revoking ask first, and a no changes nothing."""
        self.line("device", "remove", "kitchen-pi", typed=Keyboard("n\n"), status=1)
        self.line("device", "revoke", "kitchen-pi", typed=Keyboard("\n"), status=1)
        self.line("device", "revoke", "kitchen-pi", typed=Keyboard(""), status=1)
        self.assertEqual(self.script.asked, [])

    def test_goes_ahead(self) -> None:
        """A yes, ``--yes``, or nobody there to ask: then they do it."""
        self.answers("DELETE /api/v1/devices/kitchen-pi", b"", status=204)
        self.answers("POST /api/v1/devices/kitchen-pi/revoke", DEVICE)
        self.line("device", "remove", "kitchen-pi", typed=Keyboard("y\n"))
        self.line("device", "revoke", "kitchen-pi", "--yes", typed=Keyboard(""))
        self.assertEqual(self.line("device", "remove", "kitchen-pi"), "kitchen-pi is removed\n")
        self.assertEqual(len(self.script.asked), 3)

    def test_udp(self) -> None:
        """A device over UDP is printed once, in each form that a program needs; with --json, as the API has it."""
        added = {"name": "chip", "id": "0f" * 16, "key": "ab" * 32}
        self.answers("POST /api/v1/devices", added)
        said = self.line("device", "add", "chip", "--udp")
        for part in ("0f" * 16, "ab" * 32, "const uint8_t KEY[32]", '"key": "abab'):
            self.assertIn(part, said)
        self.assertEqual(json.loads(self.line("device", "add", "chip", "--udp-v1", "--json")), added)
        self.answers("POST /api/v1/devices/chip/udp-key", added)
        self.assertIn("ab" * 32, self.line("device", "new-key", "chip", "--yes"))

    def test_version_1(self) -> None:
        """What the owner of old sketches needs."""
        self.answers("POST /api/v1/devices/chip/reset-counter", DEVICE)
        self.answers("POST /api/v1/devices/chip/allow-v1", DEVICE)
        self.answers("POST /api/v1/udp/master-key", None)
        self.answers("DELETE /api/v1/udp/master-key", None)
        file = Path(self.mktemp())
        file.write_text("AB:CD " * 8 + "\n")
        self.assertIn("count from anywhere", self.line("device", "reset-counter", "chip"))
        self.assertIn("version 1", self.line("device", "allow-v1", "chip"))
        self.assertIn("taken in", self.line("udp", "master-key", str(file)))
        os.truncate(file, 2**36)
        self.line("udp", "master-key", str(file), status=1)
        self.assertIn("16 to 64 bytes", self.error)
        self.assertIn("No more", self.line("udp", "master-key", "--remove"))
