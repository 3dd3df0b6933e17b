"""Users where no server runs: in the data directory itself, under its lock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from iotcenter.cli.errors import CommandError
from iotcenter.identity.passwords import Passwords
from iotcenter.identity.users import Users
from iotcenter.interfaces import Refused
from iotcenter.model import Role
from iotcenter.storage.errors import StorageError
from iotcenter.storage.lock import DataLock
from iotcenter.storage.store import FILE, Store

T = TypeVar("T")


class DirectoryDesk:
    """The users in a data directory. One thing can be done in a process, since a reactor runs once."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @staticmethod
    def can_open(directory: Path) -> bool:
        """Whether a server ever kept its data there: a mistyped path shall not become a new data directory."""
        return (directory / FILE).exists()

    def all(self) -> list[dict[str, Any]]:
        """Everybody."""

        async def work(users: Users) -> list[dict[str, Any]]:
            return [_as_the_api_has_it(user) for user in await users.list()]

        return self._do(work)

    def add(self, name: str, role: str, password: str) -> dict[str, Any]:
        """A new user."""

        async def work(users: Users) -> dict[str, Any]:
            return _as_the_api_has_it(await users.add(name, Role(role), password))

        return self._do(work)

    def change(self, name: str, what: str, value: str) -> dict[str, Any]:
        """Give a user another ``role`` or ``password``."""

        async def work(users: Users) -> dict[str, Any]:
            if what == "role":
                await users.set_role(name, Role(value))
            else:
                await users.set_password(name, value)
            return next(_as_the_api_has_it(user) for user in await users.list() if user.name == name.lower())

        return self._do(work)

    def remove(self, name: str) -> None:
        """Remove a user, and end their sessions."""
        self._do(lambda users: users.remove(name))

    def _do(self, work: Callable[[Users], Awaitable[T]]) -> T:
        from twisted.internet import reactor

        return _run(reactor, _with_users(self._directory, reactor, work))


async def _with_users(directory: Path, reactor: Any, work: Callable[[Users], Awaitable[T]]) -> T:
    lock = DataLock.acquire(directory)
    try:
        store = Store(directory, reactor)
        store.open()
        users = Users(store, reactor, Passwords(reactor))
        try:
            return await work(users)
        finally:
            users.close()
            await store.close()
    finally:
        lock.release()


def _run(reactor: Any, work: Coroutine[Any, Any, T]) -> T:
    """What ``work`` gives, with the reactor running until then. Raises ``CommandError`` for what users do wrong."""
    outcome: list[T | Failure] = []

    def begin() -> None:
        Deferred.fromCoroutine(work).addBoth(outcome.append).addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run()
    if not outcome:
        raise KeyboardInterrupt
    (found,) = outcome
    if not isinstance(found, Failure):
        return found
    if found.check(StorageError, Refused):
        raise CommandError(found.getErrorMessage())
    found.raiseException()


def _as_the_api_has_it(user: Any) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(user)
    return shown
