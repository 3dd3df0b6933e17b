"""The server's log: where it goes, and that nobody can flood it."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.logs import LogLimit, log_observer


class LogTests(SynchronousTestCase):
    """Lines and their limit."""

    def test_file(self) -> None:
        """Lines from the level on are in the file, which is the owner's alone."""
        directory = Path(self.mktemp())
        log = Logger(namespace="test", observer=log_observer(directory, "info"))
        log.debug("too fine")
        log.info("as {word}", word="it is")
        text = (directory / "server.log").read_text()
        self.assertIn("as it is", text)
        self.assertNotIn("too fine", text)
        self.assertEqual((directory / "server.log").stat().st_mode & 0o777, 0o600)

    def test_limit(self) -> None:
        """So many lines in a period, the others are counted, and the next period begins anew."""
        clock = Clock()
        limit = LogLimit(clock.seconds, most=3, period=60)
        self.assertEqual([limit.allow() for _ in range(5)], [True, True, True, False, False])
        clock.advance(60)
        self.assertTrue(limit.allow())
        self.assertEqual((limit.skipped(), limit.skipped()), (2, 0))
