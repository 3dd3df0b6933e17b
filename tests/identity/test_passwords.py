"""How passwords are kept and checked."""

from __future__ import annotations

import ctypes
import threading
from typing import Any

import psutil
from argon2 import PasswordHasher
from twisted.internet.defer import gatherResults
from twisted.trial.unittest import TestCase

from iotcenter.identity.errors import Overloaded, Unfit
from iotcenter.identity.passwords import MAX_WAITING, Passwords, argon2id
from tests.identity.support import cheap_hasher, failure_of

GOOD = "correct horse battery"


class CountingHasher(PasswordHasher):
    """Notes how many passwords are checked at once, and in which threads."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=64, parallelism=1)
        self.now = self.most = self.count = 0
        self.threads: set[str] = set()

    def verify(self, hash: str | bytes, password: str | bytes) -> Any:
        self.now += 1
        self.most = max(self.most, self.now)
        self.threads.add(threading.current_thread().name)
        try:
            return super().verify(hash, password)
        finally:
            self.now -= 1
            self.count += 1


class PasswordsTests(TestCase):
    """One at a time, in a thread of their own."""

    def passwords(self, hasher: PasswordHasher | None = None) -> Passwords:
        """What checks passwords in this test."""
        from twisted.internet import reactor

        passwords = Passwords(reactor, hasher or cheap_hasher())
        self.addCleanup(passwords.close)
        return passwords

    async def test_round(self) -> None:
        """The password that was hashed is known again, and no other."""
        passwords = self.passwords()
        kept = await passwords.hash(GOOD)
        self.assertNotIn(GOOD, kept)
        self.assertTrue(await passwords.verify(kept, GOOD))
        self.assertFalse(await passwords.verify(kept, GOOD + " "))
        self.assertFalse(await passwords.verify(kept, ""))

    async def test_salted(self) -> None:
        """The same password is never kept in the same way."""
        passwords = self.passwords()
        self.assertNotEqual(await passwords.hash(GOOD), await passwords.hash(GOOD))

    async def test_cost(self) -> None:
        """It is argon2id with 19 MiB and two passes."""
        kept = await self.passwords(argon2id()).hash(GOOD)
        self.assertTrue(kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$"))

    async def test_other_keyboard(self) -> None:
        """An accent is the same whether it was typed as one character or as two."""
        passwords = self.passwords()
        self.assertTrue(await passwords.verify(await passwords.hash("grün wie Gras"), "gru\u0308n wie Gras"))

    async def test_length(self) -> None:
        """Passwords have 10 to 1024 characters, and the form learns which field is wrong."""
        passwords = self.passwords()
        for wrong in ("", "a" * 9, "a" * 1025):
            error = await failure_of(passwords.hash(wrong), Unfit)
            self.assertEqual(error.field, "password")
        for right in ("a" * 10, "ä" * 1024):
            self.assertTrue(await passwords.verify(await passwords.hash(right), right))

    async def test_no_text(self) -> None:
        """Characters that no text has, and megabytes, are checked like any wrong password."""
        passwords = self.passwords()
        kept = await passwords.hash(GOOD)
        self.assertFalse(await passwords.verify(kept, "\ud800" * 10))
        self.assertFalse(await passwords.verify(kept, GOOD * 100_000))

    async def test_nobody(self) -> None:
        """Without anything to compare with, the same work is done, and the answer is no."""
        hasher = CountingHasher()
        self.assertFalse(await self.passwords(hasher).verify(None, GOOD))
        self.assertEqual(hasher.count, 1)

    def test_nobodys_hash(self) -> None:
        """What an unknown user's password is compared with costs as much as what a known one's is."""
        passwords, hasher = self.passwords(argon2id()), argon2id()
        self.assertFalse(hasher.check_needs_rehash(passwords.nobodys))
        self.assertEqual(len(passwords.nobodys), len(hasher.hash(GOOD)))

    async def test_damaged(self) -> None:
        """What is no hash fits no password."""
        self.assertFalse(await self.passwords().verify("junk", GOOD))

    async def test_one_at_a_time(self) -> None:
        """Of many that come at once, one is checked at a time, and never in the reactor's thread."""
        hasher = CountingHasher()
        passwords = self.passwords(hasher)
        await gatherResults([passwords.verify(None, GOOD) for _number in range(MAX_WAITING)])
        self.assertEqual((hasher.most, len(hasher.threads)), (1, 1))
        self.assertNotIn(threading.current_thread().name, hasher.threads)

    async def test_overloaded(self) -> None:
        """More than may wait are turned away at once, and later ones are served again."""
        passwords = self.passwords()
        waiting = [passwords.verify(None, GOOD) for _number in range(MAX_WAITING)]
        await self.assertFailure(passwords.verify(None, GOOD), Overloaded)
        await gatherResults(waiting)
        self.assertFalse(await passwords.verify(None, GOOD))

    async def test_closed(self) -> None:
        """After the end nothing hangs, and ending again does no harm."""
        passwords = self.passwords()
        passwords.close()
        await self.assertFailure(passwords.verify(None, GOOD), Overloaded)

    async def test_memory(self) -> None:
        """The memory that checking takes is given back."""
        if not hasattr(ctypes.CDLL(None), "mallopt"):
            self.skipTest("another C library than glibc")
        passwords, process = self.passwords(argon2id()), psutil.Process()
        before = process.memory_info().rss
        for _number in range(4):
            await passwords.verify(None, GOOD)
        self.assertLess(process.memory_info().rss - before, 10 * 2**20)
