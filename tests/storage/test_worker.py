from __future__ import annotations

import threading
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from iotcenter.storage.worker import Worker


class WorkerTests(TestCase):
    """One thing after the other is done on a thread of its own, and told on the reactor's."""

    def setUp(self) -> None:
        """Make a worker."""
        from twisted.internet import reactor

        self.worker = Worker(reactor, "clerk")
        self.addCleanup(self.worker.stop)
        self.said: list[Any] = []

    async def test_in_order(self) -> None:
        """Things are done in the order in which they were given, and what comes of each is told in that order, too."""
        results: list[Deferred[Any]] = [self.worker.do(self.said.append, number) for number in range(100)]
        results.append(self.worker.do(threading.current_thread))
        told = [result.addCallback(self.told) for result in results]
        *_, thread = await gatherResults(told)
        self.assertEqual(self.said, list(range(100)))
        self.assertEqual(thread.name, "clerk")

    def told(self, result: Any) -> Any:
        """Something was done."""
        self.assertIs(threading.current_thread(), threading.main_thread())
        return result

    async def test_failure(self) -> None:
        """What fails says why, and the next is done."""
        failed = self.worker.do(int, "seven")
        done = self.worker.do(int, "7")
        await self.assertFailure(failed, ValueError)
        self.assertEqual(await done, 7)

    async def test_stop(self) -> None:
        """What was given before the end is done, and no thread is left. Without work there never was one."""
        before = threading.active_count()
        self.worker.stop()
        self.assertEqual(threading.active_count(), before)
        self.worker.do(self.said.append, 1)
        self.worker.do(self.said.append, 2)
        self.worker.stop()
        self.assertEqual(self.said, [1, 2])
        self.assertEqual(threading.active_count(), before)
