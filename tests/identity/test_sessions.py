"""Browsers that are signed in."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.identity.digest import digest_of
from iotcenter.identity.sessions import COARSE, IDLE, LONGEST, Session, Sessions, csrf_of
from iotcenter.model import Preferences, Role, User
from iotcenter.storage.errors import NotFound
from tests.identity.support import NOW, StoreCase, failure_of


class SessionsTests(StoreCase):
    """From sign-in to the end."""

    def setUp(self) -> None:
        super().setUp()
        self.users = self.new_users()
        self.sessions = Sessions(self.store, self.clock.seconds)

    async def sign_in(self) -> str:
        """The secret of a session of a user who is made for it."""
        if not await self.users.count():
            await self.users.add("anna", Role.ADMIN, "correct horse battery", "Europe/Berlin")
        return await self.sessions.create("anna")

    async def test_found(self) -> None:
        """A browser that shows the secret is its user's; no two secrets are the same."""
        first, second = await self.sign_in(), await self.sign_in()
        self.assertNotEqual(first, second)
        session = await self.sessions.find(first)
        assert session is not None
        self.assertEqual(session.user, User("anna", Role.ADMIN, NOW, Preferences("Europe/Berlin")))

    async def test_not_on_disk(self) -> None:
        """Whoever reads the disk cannot come in by what is there."""
        secret = await self.sign_in()
        await self.store.close()
        for file in filter(Path.is_file, self.directory.rglob("*")):
            self.assertNotIn(secret.encode(), file.read_bytes())
            self.assertNotIn(csrf_of(secret).encode(), file.read_bytes())

    async def test_restart(self) -> None:
        """A session outlives a restart of the server."""
        secret = await self.sign_in()
        await self.restart()
        self.assertIsNotNone(await Sessions(self.store, self.clock.seconds).find(secret))

    async def test_ended(self) -> None:
        """Signing out ends this session and no other; ending what is no session does no harm."""
        first, second = await self.sign_in(), await self.sign_in()
        for secret in (first, first, "junk"):
            await self.sessions.end(secret)
        self.assertIsNone(await self.sessions.find(first))
        self.assertIsNotNone(await self.sessions.find(second))

    async def test_idle(self) -> None:
        """A session that is not used for two weeks ends."""
        secret = await self.sign_in()
        self.clock.advance(IDLE)
        self.assertIsNone(await self.sessions.find(secret))

    async def test_used(self) -> None:
        """A session that is used goes on, but not for more than ninety days."""
        secret = await self.sign_in()
        for _week in range(12):
            self.clock.advance(7 * 86400)
            self.assertIsNotNone(await self.sessions.find(secret))
            await self.sessions.create("anna")  # which sweeps what has ended, and waits for what is written
        self.clock.advance(LONGEST - 12 * 7 * 86400)
        self.assertIsNone(await self.sessions.find(secret))

    async def test_coarse(self) -> None:
        """Requests in quick succession are not written down one by one."""
        secret = await self.sign_in()
        await self.sessions.find(secret)
        self.clock.advance(COARSE - 1)
        await self.sessions.find(secret)
        self.assertEqual(self.clock.seconds() - await self.last_used(secret), COARSE - 1)
        self.clock.advance(1)
        await self.sessions.find(secret)
        self.assertEqual(self.clock.seconds(), await self.last_used(secret))

    async def last_used(self, secret: str) -> float:
        """What storage says, once it has written what waits."""
        await self.sessions.end("x" * 43)
        row = await self.store.sessions.find(digest_of(secret))
        assert row is not None
        return row.last_used

    async def test_role_changes(self) -> None:
        """A role that is taken away counts from the next request on."""
        secret = await self.sign_in()
        await self.users.add("berta", Role.ADMIN, "correct horse battery")
        await self.users.set_role("anna", Role.VIEWER)
        session = await self.sessions.find(secret)
        self.assertEqual(session and session.user.role, Role.VIEWER)

    async def test_swept(self) -> None:
        """Sessions that have ended are forgotten when somebody signs in."""
        secret = await self.sign_in()
        self.clock.advance(IDLE)
        await self.sign_in()
        self.clock.rightNow = NOW
        self.assertIsNone(await self.sessions.find(secret))

    async def test_nobody(self) -> None:
        """There is no session for somebody who is gone."""
        await failure_of(self.sessions.create("nobody"), NotFound)

    async def test_use_not_noted(self) -> None:
        """A page is shown though the use of its session cannot be written down."""
        secret = await self.sign_in()
        self.clock.advance(COARSE)
        found = Deferred.fromCoroutine(self.sessions.find(secret))
        closing = self.store.close()
        self.assertIsNotNone(await found)
        await closing


class SecretTests(SynchronousTestCase):
    """What browsers send."""

    @given(st.text())
    def test_any_text(self, secret: str) -> None:
        """What does not look like a secret is not even looked up."""
        sessions = Sessions(Unused(), lambda: NOW)  # type: ignore[arg-type]
        self.assertIsNone(self.successResultOf(Deferred.fromCoroutine(sessions.find(secret))))

    def test_line_end(self) -> None:
        """A secret with a line end is none."""
        sessions = Sessions(Unused(), lambda: NOW)  # type: ignore[arg-type]
        self.assertIsNone(self.successResultOf(Deferred.fromCoroutine(sessions.find("a" * 43 + "\n"))))

    def test_csrf(self) -> None:
        """What forms send back belongs to one session, and tells nothing of its secret."""
        self.assertEqual(csrf_of("a" * 43), csrf_of("a" * 43))
        self.assertNotEqual(csrf_of("a" * 43), csrf_of("b" * 43))
        self.assertEqual(len(csrf_of("a" * 43)), 43)

    def test_no_secrets_in_logs(self) -> None:
        """A session that is logged shows no secret."""
        session = Session(User("anna", Role.ADMIN), csrf_of("a" * 43), NOW, NOW)
        self.assertNotIn(session.csrf, repr(session))


class Unused:
    """A store that nobody may ask."""

    accounts = sessions = tokens = None
