from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.storage.errors import NotWritable
from iotcenter.storage.lock import FILE, DataLock, Locked


class LockTests(SynchronousTestCase):
    """One server for each data directory."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()) / "deep" / "data"

    def test_directory(self) -> None:
        """The directory is made, for its owner alone."""
        DataLock.acquire(self.directory).release()
        self.assertEqual(self.directory.stat().st_mode & 0o777, 0o700)

    def test_held(self) -> None:
        """A second server is refused, with the number of the process that holds it."""
        lock = DataLock.acquire(self.directory)
        self.addCleanup(lock.release)
        with self.assertRaises(Locked) as caught:
            DataLock.acquire(self.directory)
        self.assertEqual(
            str(caught.exception), f"Process {os.getpid()} uses the data directory {self.directory}: stop it first."
        )

    def test_released(self) -> None:
        """What was let go of can be taken again, also where a dead process left its number."""
        DataLock.acquire(self.directory).release()
        (self.directory / FILE).write_text("123456789012\n")
        DataLock.acquire(self.directory).release()
        self.assertEqual((self.directory / FILE).read_text(), "")

    def test_dies_with_its_process(self) -> None:
        """A process that ends in any way lets go."""
        child = os.fork()
        if child == 0:
            DataLock.acquire(self.directory)
            os._exit(9)
        os.waitpid(child, 0)
        self.assertEqual((self.directory / FILE).read_text(), f"{child}\n")
        DataLock.acquire(self.directory).release()

    def test_not_writable(self) -> None:
        """A place where no directory can be is named in one line."""
        blocked = Path(self.mktemp())
        blocked.write_text("a file")
        with self.assertRaises(NotWritable) as caught:
            DataLock.acquire(blocked / "data")
        self.assertIn(f"{blocked / 'data'} cannot be written: Not a directory", str(caught.exception))
