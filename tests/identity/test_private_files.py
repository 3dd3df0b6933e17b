"""Files that are nobody else's business."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.identity.errors import IdentityError
from iotcenter.identity.private_files import make_private_directory, read_private, write_private
from tests.identity.support import new_directory


def mode(path: Path) -> int:
    """The permissions of ``path``."""
    return path.stat().st_mode & 0o777


class PrivateFileTests(SynchronousTestCase):
    """Written whole or not at all, and for the owner alone."""

    def setUp(self) -> None:
        self.directory = new_directory(self)
        self.file = self.directory / "root.key"

    def test_owner_alone(self) -> None:
        """A file is the owner's alone, whatever the umask."""
        former = os.umask(0)
        self.addCleanup(os.umask, former)
        write_private(self.file, b"secret")
        self.assertEqual((mode(self.file), self.file.read_bytes()), (0o600, b"secret"))

    def test_replaced(self) -> None:
        """Writing again replaces what was there, and leaves nothing beside it."""
        write_private(self.file, b"old")
        write_private(self.file, b"new")
        self.assertEqual(read_private(self.file), b"new")
        self.assertEqual([path.name for path in self.directory.iterdir()], ["root.key"])

    def test_killed_before(self) -> None:
        """What a write left that was killed is no hindrance, and no way to redirect the next."""
        victim = self.directory / "victim"
        victim.write_bytes(b"precious")
        (self.directory / ".root.key.new").symlink_to(victim)
        write_private(self.file, b"secret")
        self.assertEqual((victim.read_bytes(), read_private(self.file)), (b"precious", b"secret"))

    def test_missing(self) -> None:
        """A file that is not there reads as nothing."""
        self.assertIsNone(read_private(self.file))

    def test_too_open(self) -> None:
        """A file that others could read is closed to them, and the log says so."""
        self.file.write_bytes(b"secret")
        self.file.chmod(0o644)
        with capturedLogs() as logs:
            self.assertEqual(read_private(self.file), b"secret")
        self.assertEqual(mode(self.file), 0o600)
        self.assertEqual([event["mode"] for event in logs], [0o644])

    def test_stricter_stays(self) -> None:
        """Permissions that are narrower than ours stay as they are."""
        self.file.write_bytes(b"secret")
        self.file.chmod(0o400)
        read_private(self.file)
        self.assertEqual(mode(self.file), 0o400)

    def test_unreadable(self) -> None:
        """What cannot be read or written is told in one line that names it."""
        self.file.mkdir()
        for attempt in (lambda: read_private(self.file), lambda: write_private(self.file, b"")):
            error = self.assertRaises(IdentityError, attempt)
            self.assertIn(str(self.file), str(error))
            self.assertNotIn("\n", str(error))


class PrivateDirectoryTests(SynchronousTestCase):
    """Where such files lie."""

    def test_made(self) -> None:
        """A directory is made for the owner alone."""
        place = new_directory(self) / "authority"
        make_private_directory(place)
        self.assertEqual(mode(place), 0o700)

    def test_tightened(self) -> None:
        """A directory that others could enter is closed to them."""
        place = new_directory(self)
        place.chmod(0o755)
        make_private_directory(place)
        self.assertEqual(mode(place), 0o700)

    def test_impossible(self) -> None:
        """A directory that cannot be made is told in one line."""
        error = self.assertRaises(IdentityError, make_private_directory, new_directory(self) / "missing" / "authority")
        self.assertIn("cannot make", str(error))
