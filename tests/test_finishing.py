"""Flows that go on to their end."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.finishing import finishing


class FinishingTests(SynchronousTestCase):
    """What is begun is done."""

    def setUp(self) -> None:
        self.stored: Deferred[str] = Deferred()
        self.done: list[str] = []

    @finishing
    async def work(self, prefix: str) -> str:
        """Wait for storage, then change memory."""
        self.done.append(prefix + await self.stored)
        return self.done[-1]

    def test_result(self) -> None:
        """Who waits gets the result."""
        waiting = self.work("it is ")
        self.stored.callback("on disk")
        self.assertEqual(self.successResultOf(waiting), "it is on disk")

    def test_failure(self) -> None:
        """Who waits gets the failure."""
        waiting = self.work("")
        self.stored.errback(ValueError("disk"))
        self.failureResultOf(waiting, ValueError)

    def test_cancelled(self) -> None:
        """Who goes away does not keep the work from being done."""
        waiting = self.work("")
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.stored.callback("on disk")
        self.assertEqual(self.done, ["on disk"])

    def test_failed_alone(self) -> None:
        """What fails when nobody waits any more is in the log."""
        waiting = self.work("")
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        with capturedLogs() as events:
            self.stored.errback(ValueError("no room"))
        self.assertEqual([formatEvent(event) for event in events], ["work failed, and nobody waits any more: no room"])

    def test_cancelled_by_a_coroutine(self) -> None:
        """It is the same where a coroutine waits that is cancelled."""

        async def route() -> str:
            return await self.work("")

        waiting = Deferred.fromCoroutine(route())
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.stored.callback("on disk")
        self.assertEqual(self.done, ["on disk"])
