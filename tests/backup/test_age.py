"""Encryption with a passphrase."""

from __future__ import annotations

import os
import pty
from io import BytesIO
from pathlib import Path
from shutil import which

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from iotcenter.backup import age
from iotcenter.backup.age import MOST_WORK, PIECE, AgeReader, AgeWriter, is_age
from iotcenter.backup.errors import BackupError, WrongPassphrase

SECRET = "correct horse"


def sealed(content: bytes, passphrase: str = SECRET, at_once: int = 10_000_000) -> bytes:
    """``content``, encrypted as it is written piece by piece."""
    file = BytesIO()
    writer = AgeWriter(file, passphrase)
    for start in range(0, len(content), at_once):
        writer.write(content[start : start + at_once])
    writer.finish()
    return file.getvalue()


def opened(data: bytes, passphrase: str = SECRET) -> bytes:
    """What was encrypted."""
    return AgeReader(BytesIO(data), passphrase).readall()


class AgeTests(SynchronousTestCase):
    """Encryption with a passphrase."""

    def setUp(self) -> None:
        self.patch(age, "WORK", 1)

    def test_whole(self) -> None:
        """What goes in comes out, whatever its length and however it is cut; only who knows the passphrase reads it."""
        for size in (0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 5):
            content = os.urandom(size)
            for at_once in (1000, PIECE, 10_000_000):
                data = sealed(content, at_once=at_once)
                self.assertTrue(is_age(data))
                self.assertEqual(opened(data), content)
        self.assertNotIn(content[:32], data)
        with self.assertRaises(WrongPassphrase):
            opened(data, "correct house")

    def test_two_of_one(self) -> None:
        """The same content is never encrypted to the same bytes."""
        self.assertNotEqual(sealed(b"x" * 100), sealed(b"x" * 100))

    def test_cut_moved_repeated(self) -> None:
        """A piece that is missing, in another place, or there twice is noticed."""
        data = sealed(bytes(3 * PIECE))
        start = len(data) - 3 * (PIECE + 16)
        head, pieces = data[:start], [data[at : at + PIECE + 16] for at in range(start, len(data), PIECE + 16)]
        for order in ((0, 1), (0, 2), (1, 0, 2), (0, 1, 1, 2), (0, 1, 2, 2), ()):
            with self.assertRaises(BackupError):
                opened(head + b"".join(pieces[number] for number in order))

    @given(st.integers(0, 2000), st.integers(1, 255))
    def test_changed(self, place: int, mask: int) -> None:
        """A byte that was changed anywhere is noticed, and nothing but ``BackupError`` comes of it."""
        self.patch(age, "WORK", 1)
        data = bytearray(CHANGED)
        data[place % len(data)] ^= mask
        with self.assertRaises(BackupError):
            opened(bytes(data))

    @given(st.integers(0, 2000))
    def test_cut_short(self, place: int) -> None:
        """So is one that was cut short anywhere."""
        with self.assertRaises(BackupError):
            opened(CHANGED[: place % len(CHANGED)])

    @given(st.binary(max_size=400))
    def test_anything(self, data: bytes) -> None:
        """Nothing but ``BackupError`` comes of anything."""
        for beginning in (b"", age.VERSION + b"\n", age.VERSION + b"\n-> scrypt "):
            with self.assertRaises(BackupError):
                opened(beginning + data)

    def test_headers(self) -> None:
        """A file for a key, and one that asks for too much, are told apart."""
        lines = CHANGED.split(b"\n")
        for line, words in (
            (b"-> X25519 abc", "for a key"),
            (b"-> scrypt %s %d" % (lines[1].split()[2], MOST_WORK + 1), "more memory"),
            (b"-> scrypt %s 0" % lines[1].split()[2], "more memory"),
            (b"-> scrypt %s 99999999999" % lines[1].split()[2], "damaged"),
            (b"-> scrypt AAAA 1", "damaged"),
        ):
            with self.assertRaises(BackupError) as caught:
                opened(b"\n".join((lines[0], line, *lines[2:])))
            self.assertIn(words, str(caught.exception))


class InteroperationTests(SynchronousTestCase):
    """The stock tool."""

    def setUp(self) -> None:
        if which("age") is None:
            raise SkipTest("age is missing: apt-get install age")
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def test_we_read_what_age_writes(self) -> None:
        """A file that age encrypted with a passphrase can be read."""
        content = os.urandom(100_000)
        (self.folder / "plain").write_bytes(content)
        self.age("--encrypt", "--passphrase", "--output", "sealed", "plain")
        self.assertEqual(opened((self.folder / "sealed").read_bytes()), content)

    def test_age_reads_what_we_write(self) -> None:
        """Whoever has a backup and the passphrase needs nothing of ours to get at what is in it."""
        content = os.urandom(200_000)
        (self.folder / "sealed").write_bytes(sealed(content))
        self.age("--decrypt", "--output", "plain", "sealed")
        self.assertEqual((self.folder / "plain").read_bytes(), content)

    def age(self, *words: str) -> None:
        """Run age, which asks for passphrases on a terminal alone."""
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(self.folder)
            os.execvp("age", ["age", *words])
        said = b""
        try:
            while True:
                said += (some := os.read(terminal, 1000))
                if b"passphrase" in some:
                    os.write(terminal, SECRET.encode() + b"\n")
        except OSError:  # which is how a terminal says that nobody is behind it any more
            pass
        finally:
            os.close(terminal)
        self.assertEqual(os.waitpid(child, 0)[1], 0, said)


age_work, age.WORK = age.WORK, 1
CHANGED = sealed(os.urandom(1500))
"""Something encrypted, at little cost."""
age.WORK = age_work
