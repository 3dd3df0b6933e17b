from __future__ import annotations

import msgspec

from iotcenter.model import Role
from iotcenter.storage import sessions
from iotcenter.storage.accounts import Accounts
from iotcenter.storage.errors import NotFound
from iotcenter.storage.sessions import SessionRow, Sessions
from tests.storage.support import NOW, DatabaseCase
from tests.storage.test_accounts import ADA, BOB, DIGEST


class SessionTests(DatabaseCase):
    """Browsers that are signed in."""

    async def prepare(self) -> None:
        self.accounts, self.sessions = Accounts(self.database), Sessions(self.database)
        await self.accounts.add_user(ADA)
        await self.accounts.add_user(BOB)

    async def test_session(self) -> None:
        """A session is found by its secret, with its user as they are now."""
        await self.sessions.add(DIGEST, "bob", NOW, NOW + 90)
        await self.sessions.use(DIGEST, NOW + 5)
        await self.accounts.set_role("bob", Role.OPERATOR)
        bob = msgspec.structs.replace(BOB, role=Role.OPERATOR)
        self.assertEqual(await self.sessions.find(DIGEST), SessionRow(DIGEST, bob, NOW, NOW + 5, NOW + 90))
        self.assertIsNone(await self.sessions.find(b"other"))
        await self.assertFailure(self.sessions.add(b"other", "eve", NOW, NOW), NotFound)

    async def test_end(self) -> None:
        """It ends alone, with all of its user's when the password changes, or with the user."""
        for number in range(4):
            await self.sessions.add(bytes([number]), "bob", NOW, NOW + 90)
        await self.sessions.add(DIGEST, "ada", NOW, NOW + 90)
        self.assertEqual(await self.sessions.end(bytes([0])), 1)
        await self.accounts.set_password("bob", "$new")
        self.assertEqual(self.rows("SELECT user FROM session"), [("ada",)])
        await self.sessions.add(bytes([0]), "bob", NOW, NOW + 90)
        await self.accounts.remove_user("bob")
        self.assertEqual(self.rows("SELECT user FROM session"), [("ada",)])

    async def test_expire(self) -> None:
        """Those that are over, and those long unused, are forgotten."""
        for number, (used, expires) in enumerate(
            [(NOW, NOW + 9), (NOW, NOW + 10), (NOW - 5, NOW + 99), (NOW, NOW + 99)]
        ):
            await self.sessions.add(bytes([number]), "bob", used, expires)
        self.assertEqual(await self.sessions.expire(NOW + 10, NOW - 5), 3)
        self.assertIsNotNone(await self.sessions.find(bytes([3])))

    async def test_bound(self) -> None:
        """Of too many sessions, the one that was unused for longest makes room."""
        self.patch(sessions, "SESSIONS_OF_A_USER", 2)
        for number in range(3):
            await self.sessions.add(bytes([number]), "bob", NOW + number, NOW + 90)
            await self.sessions.use(bytes([0]), NOW + 50)
        self.assertEqual(self.rows("SELECT hash FROM session ORDER BY hash"), [(bytes([0]),), (bytes([2]),)])

    async def test_where_from(self) -> None:
        """Those of a user are listed with where they came from, the one used last first."""
        await self.sessions.add(b"1", "bob", NOW, NOW + 90, "192.0.2.1", "Browser/1")
        await self.sessions.add(b"2", "bob", NOW + 1, NOW + 90)
        await self.sessions.add(b"3", "ada", NOW, NOW + 90)
        found = [(row.hash, row.address, row.agent) for row in await self.sessions.of("bob")]
        self.assertEqual(found, [(b"2", "", ""), (b"1", "192.0.2.1", "Browser/1")])
