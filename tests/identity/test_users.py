"""People who may sign in."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.identity.errors import Overloaded, TooManyTries, Unfit
from iotcenter.identity.sessions import Sessions
from iotcenter.identity.users import TRIES_OF_ACCOUNT, TRIES_OF_ADDRESS, Users
from iotcenter.model import Preferences, Role, User
from iotcenter.storage.errors import LastAdmin, NameTaken, NotFound
from tests.identity.support import NOW, StoreCase, clock_at, failure_of

GOOD = "correct horse battery"
WRONG = "wrong horse battery"


class UsersTests(StoreCase):
    """Adding, changing and removing."""

    def setUp(self) -> None:
        super().setUp()
        self.users = self.new_users()

    async def test_add(self) -> None:
        """Somebody who was added is listed, and signs in with their password and with no other."""
        self.assertEqual(await self.users.count(), 0)
        anna = await self.users.add("anna", Role.OPERATOR, GOOD, "Europe/Berlin")
        self.assertEqual(anna, User("anna", Role.OPERATOR, NOW, Preferences("Europe/Berlin")))
        self.assertEqual(await self.users.list(), (anna,))
        self.assertEqual(await self.users.authenticate("anna", GOOD), anna)
        self.assertIsNone(await self.users.authenticate("anna", WRONG))
        self.assertIsNone(await self.users.authenticate("berta", GOOD))

    async def test_case(self) -> None:
        """A name is the same in upper and lower case."""
        await self.users.add("Anna@Example.org", Role.ADMIN, GOOD)
        await failure_of(self.users.add("anna@example.ORG", Role.ADMIN, GOOD), NameTaken)
        found = await self.users.authenticate("ANNA@example.org", GOOD)
        self.assertEqual(found and found.name, "anna@example.org")

    async def test_names(self) -> None:
        """A name that people would mistake, or that is none, is refused, and the form learns which field is wrong."""
        for wrong in ("", "a" * 65, "anna berta", "anna\n", "\u0430nna", "<b>", "\u0130", "../x"):
            error = await failure_of(self.users.add(wrong, Role.VIEWER, GOOD), Unfit)
            self.assertEqual(error.field, "name")
        await self.users.add("a" * 64, Role.VIEWER, GOOD)

    async def test_time_zones(self) -> None:
        """A time zone is one that exists, and nothing else of the disk."""
        for wrong in ("", "Mars/Olympus", "Europe", "../../etc/passwd", "/etc/passwd", "\0", "a" * 1000, "\ud800"):
            error = await failure_of(self.users.add("anna", Role.VIEWER, GOOD, wrong), Unfit)
            self.assertEqual(error.field, "time_zone")

    async def test_password_kept_as_hash(self) -> None:
        """The password itself is nowhere on disk."""
        await self.users.add("anna", Role.ADMIN, GOOD)
        await self.store.close()
        for file in filter(Path.is_file, self.directory.rglob("*")):
            self.assertNotIn(GOOD.encode(), file.read_bytes())

    async def test_set_password(self) -> None:
        """A new password ends the old one, and every session that it began."""
        sessions = Sessions(self.store, self.clock.seconds)
        await self.users.add("anna", Role.ADMIN, GOOD)
        secret = await sessions.create("anna")
        await self.users.set_password("Anna", "another battery")
        self.assertIsNone(await sessions.find(secret))
        self.assertIsNone(await self.users.authenticate("anna", GOOD))
        self.assertIsNotNone(await self.users.authenticate("anna", "another battery"))

    async def test_last_admin(self) -> None:
        """The last admin can neither go nor become less; one of two can."""
        await self.users.add("anna", Role.ADMIN, GOOD)
        await self.users.add("berta", Role.OPERATOR, GOOD)
        await failure_of(self.users.remove("anna"), LastAdmin)
        await failure_of(self.users.set_role("anna", Role.OPERATOR), LastAdmin)
        await self.users.set_role("berta", Role.ADMIN)
        await self.users.remove("anna")
        self.assertEqual([user.name for user in await self.users.list()], ["berta"])

    async def test_remove(self) -> None:
        """Somebody who was removed is signed out and stays out."""
        sessions = Sessions(self.store, self.clock.seconds)
        await self.users.add("anna", Role.ADMIN, GOOD)
        await self.users.add("berta", Role.VIEWER, GOOD)
        secret = await sessions.create("berta")
        await self.users.remove("Berta")
        self.assertIsNone(await sessions.find(secret))
        self.assertIsNone(await self.users.authenticate("berta", GOOD))

    async def test_nobody(self) -> None:
        """What is done to somebody who is not there fails."""
        await failure_of(self.users.remove("anna"), NotFound)
        await failure_of(self.users.set_role("anna", Role.ADMIN), NotFound)
        await failure_of(self.users.set_password("anna", GOOD), NotFound)


class CountingPasswords:
    """Passwords that are all wrong but one, and checked at once: to see how many guesses get so far."""

    full = False

    def __init__(self) -> None:
        self.compared: list[str | None] = []

    def verify(self, kept: str | None, password: str) -> Deferred[bool]:
        """Whether it is the good one."""
        self.compared.append(kept)
        return succeed(kept is not None and password == GOOD)


class GuessingTests(StoreCase):
    """What becomes of those who guess passwords."""

    def setUp(self) -> None:
        super().setUp()
        self.passwords = CountingPasswords()
        self.users = Users(self.store, self.clock, self.passwords)  # type: ignore[arg-type]

    async def add(self) -> None:
        """Somebody whose password is guessed."""
        await (users := self.new_users()).add("anna", Role.ADMIN, GOOD)
        users.close()

    async def attempts(self, number: int, name: str, *sources: str) -> int:
        """How many of so many guesses get as far as the password."""
        before = len(self.passwords.compared)
        for attempt in range(number):
            try:
                await self.users.authenticate(name, WRONG, sources[attempt % len(sources)])
            except TooManyTries:
                continue
        return len(self.passwords.compared) - before

    async def test_one_address(self) -> None:
        """Of a thousand guesses from one address at one account, ten a minute get through."""
        await self.add()
        self.assertEqual(await self.attempts(1000, "anna", "192.0.2.1"), TRIES_OF_ACCOUNT)

    async def test_many_addresses(self) -> None:
        """Of a thousand guesses from two hundred addresses it is no more."""
        await self.add()
        sources = [f"192.0.2.{number}" for number in range(200)]
        self.assertEqual(await self.attempts(1000, "anna", *sources), TRIES_OF_ACCOUNT)

    async def test_spelling(self) -> None:
        """Another spelling of the name gains no guesses."""
        self.assertEqual(await self.attempts(20, "anna", "192.0.2.1"), TRIES_OF_ACCOUNT)
        self.assertEqual(await self.attempts(20, "ANNA", "192.0.2.2"), 0)

    async def test_many_accounts(self) -> None:
        """Somebody who tries one password at many accounts is stopped too."""
        through = [await self.attempts(1, f"user{number}", "192.0.2.1") for number in range(200)]
        self.assertEqual(sum(through), TRIES_OF_ADDRESS)

    async def test_later(self) -> None:
        """A minute later there are tries again; who is refused is told so."""
        await self.add()
        await self.attempts(20, "anna", "192.0.2.1")
        error = await failure_of(self.users.authenticate("anna", GOOD, "192.0.2.9"), TooManyTries)
        self.assertEqual(error.retry_after, 60)
        self.clock.advance(60)
        self.assertIsNotNone(await self.users.authenticate("anna", GOOD, "192.0.2.9"))

    async def test_owner_signed_in(self) -> None:
        """Whoever is signed in already notices nothing of it."""
        await self.add()
        sessions = Sessions(self.store, self.clock.seconds)
        secret = await sessions.create("anna")
        await self.attempts(1000, "anna", "192.0.2.1")
        self.assertIsNotNone(await sessions.find(secret))

    async def test_success_does_not_count(self) -> None:
        """Many who sign in with the right password are not taken for one who guesses."""
        await self.add()
        for _number in range(TRIES_OF_ADDRESS * 2):
            self.assertIsNotNone(await self.users.authenticate("anna", GOOD, "192.0.2.1"))

    async def test_success_frees_no_guesses(self) -> None:
        """Signing in to an account of one's own gains no guesses at another."""
        await self.add()
        tried = 0
        for number in range(100):
            await failure_of_any(self.users.authenticate("anna", GOOD, "192.0.2.1"))
            tried += await self.attempts(1, f"victim{number}", "192.0.2.1")
        self.assertEqual(tried, TRIES_OF_ADDRESS)

    async def test_unknown_users(self) -> None:
        """For somebody who does not exist as much is done as for somebody who does."""
        await self.add()
        for name in ("anna", "berta", "<no name>", "x" * 10_000):
            await self.users.authenticate(name, WRONG)
        self.assertEqual([kept is None for kept in self.passwords.compared], [False, True, True, True])

    async def test_logged(self) -> None:
        """Each guess is in the log with where it came from, but no password and no unknown name."""
        await self.add()
        with capturedLogs() as events:
            await self.users.authenticate("anna", WRONG, "192.0.2.1")
            await self.users.authenticate("my secret in the wrong field", WRONG, "192.0.2.2")
            await self.users.authenticate("anna", GOOD, "192.0.2.3")
        lines = [formatEvent(event) for event in events]
        self.assertEqual(
            lines,
            [
                "'192.0.2.1' failed to sign in as anna; 9 tries left",
                "'192.0.2.2' failed to sign in as nobody who exists; 9 tries left",
            ],
        )

    async def test_overloaded(self) -> None:
        """While too many wait to be checked, nobody loses a try."""
        await self.add()
        self.passwords.full = True
        for _number in range(TRIES_OF_ACCOUNT):
            await failure_of(self.users.authenticate("anna", GOOD), Overloaded)
        self.passwords.full = False
        self.assertEqual(await self.attempts(20, "anna", "192.0.2.1"), TRIES_OF_ACCOUNT)

    async def test_together(self) -> None:
        """Guesses that come all at once are counted like those that come one by one."""
        await self.add()
        flows = [Deferred.fromCoroutine(self.users.authenticate("anna", WRONG)) for _number in range(100)]
        await gatherResults([flow.addErrback(lambda failure: failure.trap(TooManyTries)) for flow in flows])
        self.assertEqual(len(self.passwords.compared), TRIES_OF_ACCOUNT)


async def failure_of_any(flow: Awaitable[object]) -> None:
    """Wait for ``flow``, whether it is throttled or not."""
    try:
        await flow
    except TooManyTries:
        return


class AnyNameTests(SynchronousTestCase):
    """Names as attackers write them."""

    @given(st.text(), st.text(), st.text())
    def test_any_text(self, name: str, password: str, source: str) -> None:
        """Whatever is entered, nobody is let in, and nothing but words comes out."""
        store = mock.Mock(accounts=mock.Mock(user=lambda name: succeed(None)))
        users = Users(store, clock_at(), CountingPasswords())  # type: ignore[arg-type]
        flow = Deferred.fromCoroutine(users.authenticate(name, password, source))
        self.assertIsNone(self.successResultOf(flow))
