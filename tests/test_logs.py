"""The server's log: where it goes, and that nobody can flood it."""

from __future__ import annotations

import io
import sys
from pathlib import Path

from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.logs import ACTIVITY, LogLimit, log_observer
from iotcenter.model import LogLevel


class LogTests(SynchronousTestCase):
    """Lines and their limit."""

    def test_file(self) -> None:
        """Lines from the level on are in the file, which is the owner's alone."""
        directory = Path(self.mktemp())
        log = Logger(namespace="test", observer=log_observer(directory, LogLevel.INFO))
        log.debug("too fine")
        log.info("as {word}", word="it is")
        text = (directory / "server.log").read_text()
        self.assertIn("as it is", text)
        self.assertNotIn("too fine", text)
        self.assertEqual((directory / "server.log").stat().st_mode & 0o777, 0o600)

    def test_activity_and_errors(self) -> None:
        """What happens and what was refused have files of their own, one line an event; the server's log has both."""
        directory = Path(self.mktemp())
        observer = log_observer(directory, LogLevel.INFO)
        self.patch(sys, "__stderr__", io.StringIO())
        Logger(namespace=ACTIVITY, observer=observer).info("cam is here")
        log = Logger(namespace="test", observer=observer)
        log.info("a detail")
        log.failure("It failed", Failure(ValueError("for a reason\nin two lines")))
        files = {name: (directory / name).read_text() for name in ("Activity.log", "error.log", "server.log")}
        self.assertRegex(files["Activity.log"], r"^\S+ cam is here\n$")
        self.assertRegex(files["error.log"], r"^\S+ It failed: for a reason\n$")
        for words in ("cam is here", "a detail", "in two lines"):
            self.assertIn(words, files["server.log"])

    def test_limit(self) -> None:
        """So many lines in a period, the others are counted, and the next period begins anew."""
        clock = Clock()
        limit = LogLimit(clock.seconds, most=3, period=60)
        self.assertEqual([limit.allow() for _ in range(5)], [True, True, True, False, False])
        clock.advance(60)
        self.assertTrue(limit.allow())
        self.assertEqual((limit.skipped(), limit.skipped()), (2, 0))
