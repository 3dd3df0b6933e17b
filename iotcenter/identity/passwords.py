"""Passwords: how they are checked and kept, without holding up the reactor or the machine's memory."""

from __future__ import annotations

import secrets
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from typing import Any, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from twisted.internet.defer import Deferred, fail
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from iotcenter.identity.errors import Overloaded, Unfit
from iotcenter.memory import return_large_blocks
from iotcenter.texts import _

T = TypeVar("T")

SHORTEST = 10
LONGEST = 1024
"""How many characters a password may have. The upper bound keeps a form from giving us megabytes to hash."""

MAX_WAITING = 32
"""How many passwords may wait to be checked: about a second's work. Whoever comes then is asked to try again."""


def argon2id() -> PasswordHasher:
    """The least that OWASP recommends for argon2id: 19 MiB, two passes; some 35 ms on a small server."""
    return PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


class Passwords:
    """Hashes passwords one at a time, in one thread of its own: each needs 19 MiB for as long as it takes."""

    def __init__(self, reactor: Any, hasher: PasswordHasher | None = None) -> None:
        self._reactor = reactor
        self._hasher = hasher or argon2id()
        self.nobodys = _hash_of_nothing(self._hasher)
        """What the password of somebody who does not exist is compared with."""
        self._pool = ThreadPool(minthreads=0, maxthreads=1, name="passwords")
        self._waiting = 0
        return_large_blocks()

    @property
    def full(self) -> bool:
        """Whether so many wait that another one would be turned away."""
        return self._waiting >= MAX_WAITING

    def hash(self, password: str, shortest: int = SHORTEST) -> Deferred[str]:
        """What is to be kept of ``password``. Fails with ``Unfit`` where it is too short or too long."""
        if not shortest <= len(password) <= LONGEST:
            words = _("a password has %(shortest)s to %(longest)s characters", shortest=shortest, longest=LONGEST)
            return fail(Unfit("password", words))
        return self._in_thread(self._hasher.hash, _normal(password))

    def verify(self, kept: str | None, password: str) -> Deferred[bool]:
        """Whether ``password`` is the one that ``kept`` was made of; without ``kept``, no, after the same time.

        Fails with ``Overloaded``.
        """
        if len(password) > LONGEST:
            password = ""  # which is nobody's, and takes as long as another
        return self._in_thread(self._verify, kept or self.nobodys, _normal(password))

    def close(self) -> None:
        """Finish what was begun and end the thread; what comes after fails."""
        if not self._pool.joined:
            self._pool.stop()

    def _in_thread(self, function: Callable[..., T], *arguments: str | bytes) -> Deferred[T]:
        if self.full or self._pool.joined:
            return fail(Overloaded())
        if not self._pool.started:
            self._pool.start()
        self._waiting += 1
        return deferToThreadPool(self._reactor, self._pool, function, *arguments).addBoth(self._ended)

    def _ended(self, result: T) -> T:
        self._waiting -= 1
        return result

    def _verify(self, kept: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False


def _normal(password: str) -> bytes:
    """The same bytes for what looks the same, whichever keyboard it was typed on (RFC 8265 and NIST SP 800-63B)."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


def _hash_of_nothing(hasher: PasswordHasher) -> str:
    """A hash that no password fits, and that takes as long to check as a real one."""
    salt, digest = (
        b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in (hasher.salt_len, hasher.hash_len)
    )
    return f"$argon2id$v=19$m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}${salt}${digest}"
