"""The commands about users, tokens and the setup link, on a server that runs."""

from __future__ import annotations

import getpass
import json
from io import StringIO

from tests.cli.support import CommandLineCase, Keyboard

ADA = {"name": "ada", "role": "admin", "created": 1790000000.0}


class UserTests(CommandLineCase):
    """``iotcenter user``."""

    def setUp(self) -> None:
        super().setUp()
        self.start()

    def type_passwords(self, *passwords: str) -> None:
        """Type these when asked."""
        waiting = list(passwords)
        self.patch(getpass, "getpass", lambda prompt: waiting.pop(0))

    def test_add_from_stdin(self) -> None:
        """The password is the first line of standard input, without its end."""
        self.answers("POST /api/v1/users", ADA, status=201)
        self.line("user", "add", "ada", "--role", "admin", "--password-stdin", typed=StringIO("correct horse\nx"))
        self.assertEqual(self.script.asked[0][1], {"name": "ada", "role": "admin", "password": "correct horse"})

    def test_add_typed(self) -> None:
        """On a terminal the password is asked for twice."""
        self.answers("POST /api/v1/users", ADA, status=201)
        self.type_passwords("correct horse", "correct horse")
        line = self.line("user", "add", "ada", "--role", "admin", typed=Keyboard())
        self.assertEqual(line, "ada may sign in as admin\n")

    def test_typed_differently(self) -> None:
        """Two passwords that differ change nothing."""
        self.type_passwords("correct horse", "correct hose")
        self.line("user", "passwd", "ada", typed=Keyboard(), status=1)
        self.assertEqual(self.error, "iotcenter: the two passwords differ\n")
        self.assertEqual(self.script.asked, [])

    def test_no_password(self) -> None:
        """Without a terminal and without --password-stdin nobody is asked for anything."""
        self.line("user", "add", "ada", "--role", "admin", status=1)
        self.assertIn("--password-stdin", self.error)
        self.line("user", "add", "ada", "--role", "admin", "--password-stdin", status=1)
        self.assertIn("no password came", self.error)

    def test_change(self) -> None:
        """Roles and passwords change one at a time."""
        self.answers("PATCH /api/v1/users/ada", ADA)
        self.line("user", "role", "ada", "viewer")
        self.line("user", "passwd", "ada", "--password-stdin", typed=StringIO("battery staple\n"))
        self.assertEqual([body for _, body in self.script.asked], [{"role": "viewer"}, {"password": "battery staple"}])

    def test_list_and_remove(self) -> None:
        """Users are listed, and go."""
        self.answers("GET /api/v1/users", [ADA])
        self.answers("DELETE /api/v1/users/ada", b"", status=204)
        self.assertEqual(self.line("user", "list").split("\t")[:2], ["ada", "admin"])
        self.assertEqual(self.line("user", "remove", "ada"), "ada is removed\n")

    def test_reset_link(self) -> None:
        """The link for a new password is alone on its line."""
        self.answers("POST /api/v1/users/ada/reset-link", {"link": "https://host:8443/reset?t=x", "expires": 1.0})
        self.assertEqual(self.line("user", "reset-link", "ada"), "https://host:8443/reset?t=x\n")


class TokenTests(CommandLineCase):
    """``iotcenter token`` and ``iotcenter setup-link``."""

    def setUp(self) -> None:
        super().setUp()
        self.start()

    def test_create(self) -> None:
        """The secret is shown once: alone on its line, or as JSON."""
        self.answers("POST /api/v1/tokens", {"token": "iotc_secret"}, status=201)
        self.assertEqual(self.line("token", "create", "grafana"), "iotc_secret\n")
        self.assertEqual(json.loads(self.line("token", "create", "grafana", "--json")), {"token": "iotc_secret"})
        self.assertEqual(self.script.asked[0][1], {"name": "grafana", "role": "viewer", "lifetime": None})

    def test_list_and_remove(self) -> None:
        """Tokens are listed without secrets, and go."""
        token = {"name": "grafana", "role": "viewer", "owner": "ada", "expires": None, "last_used": None}
        self.answers("GET /api/v1/tokens", [token])
        self.answers("DELETE /api/v1/tokens/grafana", b"", status=204)
        self.assertEqual(self.line("token", "list"), "grafana\tviewer\tada\tnever\tnever\n")
        self.assertEqual(self.line("token", "remove", "grafana"), "grafana is removed\n")

    def test_setup_link(self) -> None:
        """The setup link is alone on its line."""
        self.answers("POST /api/v1/setup-link", {"link": "https://host:8443/setup?t=x"})
        self.assertEqual(self.line("setup-link"), "https://host:8443/setup?t=x\n")
