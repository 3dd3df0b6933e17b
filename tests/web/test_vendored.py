"""What is not ours among the static files."""

from __future__ import annotations

import hashlib

from twisted.trial.unittest import SynchronousTestCase

from tests.support import ROOT

VENDOR = ROOT / "web/static/vendor"


class VendoredTests(SynchronousTestCase):
    """Others' files are as they were published, each with its licence."""

    def test_hashes(self) -> None:
        """Each file has the hash that is on record, and every file is on record."""
        lines = [line for line in (VENDOR / "SHA256SUMS").read_text().splitlines() if not line.startswith("#")]
        recorded = {name: digest for digest, name in (line.split("  ") for line in lines)}
        found = {str(path.relative_to(VENDOR)): path for path in VENDOR.rglob("*/*")}
        self.assertEqual(
            recorded, {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items()}
        )

    def test_licences(self) -> None:
        """Each folder has the licence of what is in it."""
        for folder in filter(lambda path: path.is_dir(), VENDOR.iterdir()):
            self.assertTrue((folder / "LICENSE").is_file(), folder)
