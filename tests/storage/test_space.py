"""Before the disk is full, its owner is told."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.storage.space import Space


class SpaceTests(SynchronousTestCase):
    """A disk of 1,000 blocks of a megabyte, of which 50 are the system's own."""

    def notices(self, available: int) -> tuple[str, ...]:
        """What is said with so much left."""
        disk = SimpleNamespace(f_blocks=1000, f_bfree=available + 50, f_bavail=available, f_frsize=10**6)
        self.patch(os, "statvfs", lambda _: disk)
        return Space(Path()).notices()

    def test_nearly_full(self) -> None:
        """From nine tenths on, of what is not the system's own."""
        self.assertEqual(self.notices(96), ())
        [notice] = self.notices(95)
        self.assertIn("90% full: 95 MB are left", notice)
        self.assertIn("100% full: 0 MB are left", self.notices(0)[0])
