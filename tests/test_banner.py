"""What a server says when it starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.banner import Opened, banner

OPENED = Opened(
    directory=Path("/srv/data"),
    created=True,
    urls=["https://192.0.2.20:8443", "http://127.0.0.1:8080"],
    transports=[("tls", 9998)],
    ssh=8022,
    fingerprint="3fa1" * 16,
    users=0,
    setup="https://192.0.2.20:8443/setup?t=9vWd-7Qm4-T2xk-aaaa",
)


class BannerTests(SynchronousTestCase):
    """The first run, in the terminal."""

    def test_first_start(self) -> None:
        """Where it is, and the link that makes the first user."""
        text = banner(OPENED)
        self.assertIn("data /srv/data (created)", text)
        self.assertIn("https://192.0.2.20:8443/   http://127.0.0.1:8080/", text)
        self.assertIn("own certificate, SHA-256 3F:A1:3F:A1", text)
        self.assertIn("Devices  TLS 9998          SSH jump 8022\n", text)
        self.assertIn("\n    https://192.0.2.20:8443/setup?t=9vWd-7Qm4-T2xk-aaaa\n", text)

    def test_later_starts(self) -> None:
        """No link, and nothing of a certificate that browsers know."""
        text = banner(replace(OPENED, created=False, users=1, setup=None, fingerprint=""))
        for word in ("setup", "created", "certificate"):
            self.assertNotIn(word, text)

    def test_still_without_users(self) -> None:
        """A later start does not make a new link, and says how to."""
        text = banner(replace(OPENED, created=False, setup=None))
        self.assertIn("No users yet: iotcenter setup-link", text)

    def test_qr_code(self) -> None:
        """On a terminal the link can be scanned."""
        self.assertIn("\u2580", banner(OPENED, qr=True))
        self.assertNotIn("\u2580", banner(OPENED))

    def test_what_is_off(self) -> None:
        """Nobody is sent to a door that is shut."""
        text = banner(replace(OPENED, urls=[], transports=[], ssh=0))
        self.assertIn("Web      off", text)
        self.assertIn("no transport is on\n", text)
