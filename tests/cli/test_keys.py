"""``iotcenter key``: the SSH keys by which users reach devices."""

from __future__ import annotations

import json
from io import StringIO

from tests.cli.support import CommandLineCase, Keyboard

FINGERPRINT = "SHA256:xpQ6waOq200zssBUzm5WRiaHZMAuXtR3OZRjsy0lo/s"
LINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGq6mC9mHnOWwhqXkKpzWW2qjSo2dWdBUN0ZQkCb2T6W ann@desk"
KEY = {"fingerprint": FINGERPRINT, "user": "ann", "key": LINE, "comment": "ann@desk", "created": 1.79e9}
GONE = f"DELETE /api/v1/users/ann/keys?fingerprint={FINGERPRINT.replace(':', '%3A').replace('/', '%2F')}"


class KeyTests(CommandLineCase):
    """On a server that runs."""

    def setUp(self) -> None:
        super().setUp()
        self.start()

    def test_add(self) -> None:
        """The file's text goes to the server as it is, or what standard input has; the fingerprint comes back."""
        self.answers("POST /api/v1/users/ann/keys", KEY, status=201)
        file = self.directory / "id_ed25519.pub"
        file.write_text(f"{LINE}\n")
        said = f"ann may come in by {FINGERPRINT}\n"
        self.assertEqual(self.line("key", "add", "ann", str(file)), said)
        self.assertEqual(self.line("key", "add", "ann", "-", typed=StringIO(f"{LINE}\n")), said)
        self.assertEqual([body for _, body in self.script.asked], [{"key": f"{LINE}\n"}] * 2)

    def test_no_file(self) -> None:
        """Where there is no such file it says so, and asks nobody for anything."""
        self.line("key", "add", "ann", str(self.directory / "id.pub"), status=1)
        self.assertEqual(self.error, f"iotcenter: {self.directory}/id.pub: No such file or directory\n")
        self.assertEqual(self.script.asked, [])

    def test_list(self) -> None:
        """Each key with its type, what it is called and when it was used; who has none is told how to add one."""
        keys = [{**KEY, "last_used": None}, {**KEY, "comment": "laptop", "last_used": 1.79e9}]
        self.answers("GET /api/v1/users/ann/keys", keys)
        said = self.line("key", "list", "ann")
        for words in (FINGERPRINT, "ssh-ed25519", "ann@desk", "never", "laptop", "2026-09-21"):
            self.assertIn(words, said)
        self.assertEqual(json.loads(self.line("key", "list", "ann", "--json")), keys)
        self.answers("GET /api/v1/users/ann/keys", [])
        said = self.line("key", "list", "ann", terminal=True)
        self.assertIn("iotcenter key add ann FILE", said + self.error)

    def test_remove(self) -> None:
        """A key is removed when somebody agreed, or with --yes."""
        self.answers(GONE, None, status=204)
        self.assertEqual(self.line("key", "remove", "ann", FINGERPRINT, "--yes"), f"{FINGERPRINT} is removed\n")
        self.line("key", "remove", "ann", FINGERPRINT, typed=Keyboard("n\n"), status=1)
        self.assertEqual(len(self.script.asked), 1)
