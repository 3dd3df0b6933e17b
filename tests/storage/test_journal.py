from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.storage import journal as journal_module
from iotcenter.storage.blocks import BLOCK_HEADER, PAGE, Damaged, Record, pack_frames, pack_record
from iotcenter.storage.errors import DiskFault, DiskFull, NotWritable
from iotcenter.storage.journal import Journal
from iotcenter.storage.segment import SEGMENT
from tests.storage.support import GARDEN, KITCHEN, NOW


def record(text: str, device: str = KITCHEN) -> bytes:
    """A record with one message."""
    return pack_record(device, NOW, pack_frames([text.encode()]))


def texts(found: Any) -> list[str]:
    """What messages records hold."""
    return ["damaged" if isinstance(one, Damaged) else one.frames[4:].decode() for one in found]


class JournalCase(SynchronousTestCase):
    """A test with a journal."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.journal = self.opened()

    def opened(self, merged: int = 0) -> Journal:
        """Another server on the same directory."""
        journal = Journal(self.directory)
        journal.open(merged)
        return journal

    def files(self) -> list[Path]:
        """The files, oldest first."""
        return sorted(self.directory.iterdir())

    def change(self, place: int, file: int = 0) -> None:
        """Damage a byte."""
        data = bytearray(self.files()[file].read_bytes())
        data[place] ^= 0xFF
        self.files()[file].write_bytes(data)


class WritingTests(JournalCase):
    """What is written is found."""

    def test_in_order(self) -> None:
        """Records are found in the order in which they came, and after a restart too."""
        self.journal.append([record("one"), record("two", GARDEN)])
        self.journal.append([record("three")])
        for journal in (self.journal, self.opened()):
            self.assertEqual(texts(journal.view().after(0)), ["one", "two", "three"])
            self.assertEqual(texts(journal.view().after(0, KITCHEN)), ["one", "three"])
            self.assertEqual(texts(journal.view().after(0, "f" * 32)), [])

    def test_position(self) -> None:
        """What lies behind a position is what came later; each record says where it ends."""
        self.journal.append([record("one"), record("two")])
        second = self.journal.append([record("three")])
        self.assertEqual(self.journal.view().end, second)
        found = [one for one in self.journal.view().after(0) if isinstance(one, Record)]
        self.assertEqual(texts(self.journal.view().after(found[0].end)), ["two", "three"])
        self.assertEqual(texts(self.journal.view().after(second)), [])

    def test_restart_begins_a_file(self) -> None:
        """After a restart nothing is written behind what may be torn."""
        end = self.journal.append([record("one")])
        journal = self.opened()
        self.assertGreater(journal.append([record("two")]), end)
        self.assertEqual(len(self.files()), 2)
        self.assertEqual(texts(self.opened().view().after(0)), ["one", "two"])

    def test_many_files(self) -> None:
        """What one file cannot hold goes on in the next; each has its room set aside."""
        large = "x" * (SEGMENT // 3)
        for _ in range(5):
            self.journal.append([record(large)])
        self.assertEqual([path.stat().st_size for path in self.files()], [SEGMENT] * 3)
        for journal in (self.journal, self.opened()):
            self.assertEqual(texts(journal.view().after(0)), [large] * 5)

    def test_reads_what_was_written(self) -> None:
        """Nothing is read of the room that is still to be written: it would count as changed with the next block."""
        reads: list[int] = []
        read = os.pread

        def noted(file: int, size: int, place: int) -> bytes:
            reads.append(place + size)
            return read(file, size, place)

        self.patch(os, "pread", noted)
        end = self.journal.append([record("one")])
        self.assertEqual(texts(self.journal.view().after(0)), ["one"])
        self.assertEqual(reads, [end])

    def test_private(self) -> None:
        """The files are their owner's alone."""
        self.journal.append([record("one")])
        self.assertEqual([path.stat().st_mode & 0o777 for path in [self.directory, *self.files()]], [0o700, 0o600])


class DroppingTests(JournalCase):
    """What is merged may go."""

    def test_dropped(self) -> None:
        """A file goes when all of it is merged; the one that is written stays."""
        large = "x" * (SEGMENT // 2)
        ends = [self.journal.append([record(large)]) for _ in range(3)]
        self.journal.drop(ends[0] - 1)
        self.assertEqual(len(self.files()), 3)
        self.journal.drop(ends[-1])
        self.assertEqual(len(self.files()), 1)

    def test_view_outlives(self) -> None:
        """Who looks at it goes on, whatever is dropped and written meanwhile."""
        large = "x" * (SEGMENT // 2)
        self.journal.append([record(large)])
        view = self.journal.view()
        self.journal.drop(self.journal.append([record("later")]))
        self.journal.append([record(large)])
        self.assertEqual(texts(view.after(0)), [large])

    def test_merged_before_a_restart(self) -> None:
        """What was merged is deleted at the start, and positions go on."""
        end = self.journal.append([record("one")])
        journal = self.opened(merged=end)
        self.assertEqual(self.files(), [])
        self.assertGreaterEqual(journal.append([record("two")]), end)
        self.assertEqual(texts(journal.view().after(end)), ["two"])

    def test_directory_gone(self) -> None:
        """An inbox that was removed begins behind what was merged."""
        journal = self.opened(merged=10 * SEGMENT + 1)
        self.assertGreater(journal.append([record("one")]), 10 * SEGMENT + 1)

    def test_older_database(self) -> None:
        """With a database from a backup all that is there is merged again."""
        large = "x" * (SEGMENT // 2)
        first = self.journal.append([record(large)])
        self.journal.append([record(large)])
        self.journal.drop(first)
        self.assertEqual(texts(self.opened(merged=0).view().after(0)), [large])


class DamageTests(JournalCase):
    """What a power cut and a bad disk leave."""

    def test_torn(self) -> None:
        """A block that was not whole when the power went is left out, and nothing is said."""
        self.journal.append([record("one")])
        self.journal.append([record("two"), record("three")])
        self.change(PAGE + BLOCK_HEADER + 40)
        self.assertEqual(texts(self.opened().view().after(0)), ["one"])

    def test_torn_and_gone_on(self) -> None:
        """So it is for ever after."""
        self.test_torn()
        self.opened().append([record("four")])
        self.assertEqual(texts(self.opened().view().after(0)), ["one", "four"])

    def test_damaged(self) -> None:
        """Of a block that was acknowledged what can be read is kept, and the loss is said."""
        self.journal.append([record("one"), record("two")])
        self.journal.append([record("three")])
        self.change(BLOCK_HEADER + 34)
        said = self.said(lambda: self.assertEqual(texts(self.opened().view().after(0)), ["two", "three"]))
        self.assertIn("damaged in 1 places", said)

    def test_all_damaged(self) -> None:
        """So it is where nothing of it can be read."""
        self.journal.append([record("one")])
        self.journal.append([record("two")])
        self.change(BLOCK_HEADER + 34)
        said = self.said(lambda: self.assertEqual(texts(self.opened().view().after(0)), ["two"]))
        self.assertIn("damaged in 1 places", said)

    def test_header_damaged(self) -> None:
        """So it is where a block cannot be found at all."""
        for text in ("one", "two", "three"):
            self.journal.append([record(text)])
        self.change(PAGE + 20)
        said = self.said(lambda: self.assertEqual(texts(self.opened().view().after(0)), ["one", "three"]))
        self.assertIn("damaged in 1 places", said)

    def test_damaged_while_running(self) -> None:
        """What cannot be read any more is told to who reads it; the rest is given."""
        self.journal.append([record("one"), record("two")])
        self.change(BLOCK_HEADER + 38)
        self.assertEqual(texts(self.journal.view().after(0)), ["damaged", "two"])

    def said(self, act: Callable[[], None]) -> str:
        """What the log has of ``act``."""
        with capturedLogs() as events:
            act()
        return "\n".join(filter(None, map(formatEvent, events)))


class FailingTests(JournalCase):
    """A disk that fails."""

    def break_once(self, call: str, code: int) -> None:
        """Have a call of the system fail once."""
        real = getattr(os, call)

        def failing(*arguments: Any) -> Any:
            self.patch(os, call, real)
            raise OSError(code, os.strerror(code))

        self.patch(os, call, failing)

    def test_sync_fails(self) -> None:
        """A sync that failed is not tried again: what comes goes into another file, and nothing of it is lost."""
        self.journal.append([record("one")])
        self.break_once("fdatasync", errno.EIO)
        self.assertRaises(DiskFault, self.journal.append, [record("two")])
        self.assertEqual(texts(self.journal.view().after(0)), ["one"])
        self.journal.append([record("three")])
        self.assertEqual(len(self.files()), 2)
        self.assertEqual(texts(self.journal.view().after(0)), ["one", "three"])
        self.assertLessEqual({"one", "three"}, set(texts(self.opened().view().after(0))))

    def test_full(self) -> None:
        """On a full disk nothing is left behind, and with room again it goes on."""
        self.break_once("posix_fallocate", errno.ENOSPC)
        error = self.assertRaises(DiskFull, self.journal.append, [record("one")])
        self.assertIn("The disk is full", str(error))
        self.assertEqual(self.files(), [])
        self.journal.append([record("one")])
        self.assertEqual(texts(self.journal.view().after(0)), ["one"])

    def test_failing_for_long(self) -> None:
        """However often it fails, it leaves no files."""
        for _ in range(3):
            self.break_once("pwrite", errno.EIO)
            self.assertRaises(DiskFault, self.journal.append, [record("one")])
        self.assertEqual(self.files(), [])

    def test_short_writes(self) -> None:
        """A write that is cut short goes on where it was."""
        real = os.pwrite
        self.patch(os, "pwrite", lambda file, data, offset: real(file, data[:1000], offset))
        self.journal.append([record("x" * 5000)])
        self.assertEqual(texts(self.opened().view().after(0)), ["x" * 5000])

    def test_not_writable(self) -> None:
        """A place that cannot be written is said in one line."""
        self.break_once("open", errno.EROFS)
        self.assertRaises(NotWritable, self.journal.append, [record("one")])

    def test_bound(self) -> None:
        """A block never outgrows a file."""
        self.assertLessEqual(journal_module.MOST_IN_BLOCK + BLOCK_HEADER + PAGE, SEGMENT)
