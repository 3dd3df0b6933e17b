from __future__ import annotations

import errno
import os
import threading
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import TestCase

from iotcenter.storage import inbox
from iotcenter.storage.errors import Busy, Closed, DiskFault, StorageError
from iotcenter.storage.inbox import Inbox
from tests.storage.support import KITCHEN
from tests.storage.test_journal import record, texts


class TurnedClock(Clock):
    """Time that a test turns; threads, and what is to be done at once, are as they are."""

    def __init__(self, reactor: Any) -> None:
        super().__init__()
        self._reactor = reactor
        self.callFromThread = reactor.callFromThread

    def callLater(self, delay: float, callable: Any, *args: Any, **kw: Any) -> Any:
        """See ``IReactorTime``."""
        if delay:
            return super().callLater(delay, callable, *args, **kw)
        return self._reactor.callLater(0, callable, *args, **kw)


class InboxCase(TestCase):
    """A test with an inbox."""

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor = reactor
        self.directory = self.mktemp()
        self.inbox = self.opened()

    def opened(self, reactor: Any = None, commit_every: float = 0.0) -> Inbox:
        """An inbox on the same directory; it is closed at the end."""
        opened = Inbox(Path(self.directory), reactor or self.reactor, commit_every)
        opened.open(0)
        self.addCleanup(opened.close)
        return opened

    def append(self, text: str, to: Inbox | None = None, device: str = KITCHEN) -> Deferred[StorageError | None]:
        """Append a record; fires with what went wrong."""
        done: Deferred[StorageError | None] = Deferred()
        (to or self.inbox).append([record(text, device)], done.callback)
        return done

    def there(self) -> list[str]:
        """What is in it."""
        return texts(self.inbox.view().after(0))


class CommitTests(InboxCase):
    """Records share commits."""

    async def test_on_disk(self) -> None:
        """When it is done, another that opens it finds the record."""
        self.assertIsNone(await self.append("one"))
        self.assertEqual(texts(self.opened().view().after(0)), ["one"])

    async def test_written(self) -> None:
        """Who asks is told when nothing waits any more, and at once where nothing does."""
        self.successResultOf(self.inbox.written())
        one, written = self.append("one"), self.inbox.written()
        later = self.append("two")
        await written
        self.assertTrue(one.called)
        await later
        self.successResultOf(self.inbox.written())

    async def test_crowded(self) -> None:
        """Where there is little room left on disk, those wait of whom much is there; merging makes room again."""
        self.patch(inbox, "CROWDED", 3 * 4096)
        self.patch(inbox, "MUCH", 4096)
        mad, calm = "1" * 32, "2" * 32
        await self.append("x" * 5000, device=mad)
        self.assertFalse(self.inbox.must_wait(mad))
        await self.append("x" * 10, device=calm)
        reopened = self.opened()
        for one in (self.inbox, reopened):
            self.assertEqual([one.must_wait(device) for device in (mad, calm, "3" * 32)], [True, False, False])
        self.inbox.drop(self.inbox.end)
        self.assertFalse(self.inbox.must_wait(mad))

    async def test_crowded_in_memory(self) -> None:
        """So it is where little more may wait for the disk; what is on its way there makes room again."""
        self.patch(inbox, "CROWDED_WAITING", 3000)
        self.patch(inbox, "MUCH_WAITING", 1000)
        self.patch(inbox, "MOST_IN_BLOCK", 1500)
        mad, calm = "1" * 32, "2" * 32
        waiting = [self.append("x" * 1000, device=mad), self.append("x" * 500, device=calm)]
        self.assertFalse(self.inbox.must_wait(mad))
        waiting.append(self.append("x" * 1500, device=mad))
        self.assertEqual([self.inbox.must_wait(device) for device in (mad, calm, "3" * 32)], [True, False, False])
        await waiting[0]
        self.assertFalse(self.inbox.must_wait(mad))
        await gatherResults(waiting)

    async def test_one_commit(self) -> None:
        """What comes in one turn is one commit: all are told in order, and then the hook is called, once."""
        happened: list[str] = []
        self.inbox.committed = lambda: happened.append("committed")
        waiting = [self.append(str(number)) for number in range(5)]
        for number, one in enumerate(waiting):
            one.addCallback(partial(self.note, happened, str(number)))
        await gatherResults(waiting)
        await self.append("later")
        self.assertEqual(happened[:6], ["0", "1", "2", "3", "4", "committed"])
        self.assertEqual(self.there(), ["0", "1", "2", "3", "4", "later"])

    def note(self, happened: list[str], what: str, _: object) -> None:
        """Write down what happened."""
        happened.append(what)

    async def test_next_gathers(self) -> None:
        """What comes while one commit is under way is the next."""
        commits: list[int] = []
        append = self.inbox._journal.append
        begun: Deferred[None] = Deferred()
        go_on = threading.Event()

        def slow(records: Any) -> int:
            commits.append(len(records))
            if len(commits) == 1:
                self.reactor.callFromThread(begun.callback, None)  # type: ignore[attr-defined]
                go_on.wait(10)
            return append(records)

        self.patch(self.inbox._journal, "append", slow)
        first = self.append("first")
        await begun
        others = [self.append(str(number)) for number in range(3)]
        go_on.set()
        await gatherResults([first, *others])
        self.assertEqual(commits, [1, 3])

    async def test_much(self) -> None:
        """What does not fit into one block takes several, and each is acknowledged when its own is on disk."""
        self.patch(inbox, "MOST_IN_BLOCK", 10_000)
        waiting = [self.append("x" * 3000) for _ in range(10)]
        self.assertEqual(await gatherResults(waiting), [None] * 10)
        self.assertEqual(self.there(), ["x" * 3000] * 10)

    async def test_bounds(self) -> None:
        """With too much waiting, in memory or on disk, a record is answered at once; those that wait are written."""
        self.patch(inbox, "MOST_WAITING", 1000)
        first = self.append("x" * 1000)
        self.assertIsInstance(self.successResultOf(self.append("more")), Busy)
        self.assertIsNone(await first)
        self.assertIsNone(await self.append("again"))
        self.patch(inbox, "MOST_BACKLOG", 8192)
        self.assertIsInstance(self.successResultOf(self.append("more")), Busy)
        self.inbox.drop(4096)
        self.assertIsNone(await self.append("merged"))

    async def test_who_waits_fails(self) -> None:
        """A mistake of one who is told does not keep the others from being told."""
        self.inbox.append([record("one")], lambda _: 1 / 0)  # type: ignore[arg-type]
        self.assertIsNone(await self.append("two"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class TroubleTests(InboxCase):
    """A disk that fails."""

    async def test_goes_on(self) -> None:
        """Who waited for a commit that failed is told why; the next one is whole, and the trouble is over."""
        sync = os.fdatasync

        def fail(file: int) -> None:
            self.patch(os, "fdatasync", sync)
            raise OSError(errno.EIO, "input/output error")

        self.patch(os, "fdatasync", fail)
        first, second = self.append("one"), self.append("two")
        error = await first
        self.assertIsInstance(error, DiskFault)
        self.assertIs(await second, error)
        self.assertIs(self.inbox.trouble, error)
        self.assertIsNone(await self.append("three"))
        self.assertIsNone(self.inbox.trouble)
        self.assertEqual(self.there(), ["three"])

    async def test_mistake(self) -> None:
        """A mistake of ours costs one commit, and is logged."""
        self.patch(self.inbox._journal, "append", lambda _: 1 / 0)
        self.assertEqual(type(await self.append("one")), StorageError)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class GatheringTests(InboxCase):
    """Commits that are gathered, for the sake of an SD card or of the processor."""

    async def turns(self, clock: TurnedClock, count: int) -> None:
        """Let the reactor turn so many times, in which no time passes."""
        for _ in range(count):
            await deferLater(self.reactor, 0)
            clock.advance(0)

    async def test_commit_every(self) -> None:
        """After a commit the next one waits for its time; what comes meanwhile shares it."""
        clock = TurnedClock(self.reactor)
        gentle = self.opened(clock, commit_every=10.0)
        first = self.append("one", gentle)
        await first
        second, third = self.append("x" * inbox.ENOUGH, gentle), self.append("three", gentle)
        await self.turns(clock, 5)
        clock.advance(9.9)
        self.assertNoResult(second)
        clock.advance(0.1)
        await gatherResults([second, third])
        self.assertEqual(clock.getDelayedCalls(), [])

    async def test_fast_disk(self) -> None:
        """However fast the disk is, reports share commits that begin some time apart; the first one does not wait."""
        clock = TurnedClock(self.reactor)
        busy = self.opened(clock)
        await self.append("one", busy)
        others = [self.append(text, busy) for text in ("two", "three")]
        clock.advance(inbox.LEAST_EVERY / 2)
        self.assertNoResult(others[0])
        clock.advance(inbox.LEAST_EVERY / 2)
        await gatherResults(others)

    async def test_nothing_more_comes(self) -> None:
        """A page of reports does not wait for its time once a whole turn of the reactor brought nothing more."""
        clock = TurnedClock(self.reactor)
        busy = self.opened(clock)
        await self.append("one", busy)
        page = [self.append("x" * inbox.ENOUGH, busy), self.append("three", busy)]
        await self.turns(clock, 5)
        await gatherResults(page)

    async def test_more_comes(self) -> None:
        """While each turn of the reactor brings more, a page of reports waits for its time."""
        clock = TurnedClock(self.reactor)
        busy = self.opened(clock)
        await self.append("one", busy)
        page = self.append("x" * inbox.ENOUGH, busy)
        for _ in range(5):
            self.append("more", busy)
            await self.turns(clock, 1)
        self.assertEqual(len(clock.getDelayedCalls()), 1)
        clock.advance(inbox.LEAST_EVERY)
        await page

    async def test_much_does_not_wait(self) -> None:
        """Enough for a whole block does not wait, and neither does what is left at the end."""
        clock = TurnedClock(self.reactor)
        gentle = self.opened(clock, commit_every=10.0)
        first = self.append("one", gentle)
        await first
        self.patch(inbox, "MOST_IN_BLOCK", 1000)
        large = self.append("x" * 1000, gentle)
        await large
        last = self.append("last", gentle)
        closed = gentle.close()
        clock.advance(0)
        self.assertIsNone(await last)
        await closed


class ClosingTests(InboxCase):
    """The end."""

    async def test_finishes(self) -> None:
        """What waits is written first; what comes after is answered at once, and no thread is left."""
        waiting = self.append("one")
        closed = self.inbox.close()
        self.assertIsInstance(self.successResultOf(self.append("two")), Closed)
        await closed
        self.assertIsNone(self.successResultOf(waiting))
        self.assertEqual([thread for thread in threading.enumerate() if "inbox" in thread.name], [])
        await self.inbox.close()
