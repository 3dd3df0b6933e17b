from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.defer import Deferred

from iotcenter.model import Hours, Preferences, Role, Theme, UnitSystem
from iotcenter.storage.accounts import RESET, SETUP, Accounts, SecretRow, UserRow
from iotcenter.storage.errors import LastAdmin, NameTaken, NotFound, NotRedeemable
from iotcenter.storage.sessions import Sessions
from tests.storage.support import NOW, DatabaseCase

ADA = UserRow("ada", Role.ADMIN, "$argon2id$ada", NOW, Preferences("Europe/London"))
BOB = UserRow("bob", Role.VIEWER, "$argon2id$bob", NOW + 1)
DIGEST = b"d" * 32


class AccountsCase(DatabaseCase):
    async def prepare(self) -> None:
        self.accounts = Accounts(self.database)


class UserTests(AccountsCase):
    """Who may sign in."""

    async def test_users(self) -> None:
        """They come by name, as they were added."""
        self.assertEqual(await self.accounts.count_users(), 0)
        await self.accounts.add_user(BOB)
        await self.accounts.add_user(ADA)
        self.assertEqual(await self.accounts.users(), (ADA, BOB))
        self.assertEqual(await self.accounts.user("bob"), BOB)
        self.assertIsNone(await self.accounts.user("eve"))
        self.assertEqual(await self.accounts.count_users(), 2)

    async def test_name_taken(self) -> None:
        """Two users cannot have one name."""
        await self.accounts.add_user(ADA)
        await self.assertFailure(self.accounts.add_user(msgspec.structs.replace(BOB, name="ada")), NameTaken)

    async def test_changes(self) -> None:
        """Password and role can be changed; a new password ends the sessions."""
        await self.accounts.add_user(ADA)
        await self.accounts.add_user(BOB)
        sessions = Sessions(self.database)
        await sessions.add(DIGEST, "bob", NOW, NOW + 60)
        await self.accounts.set_password("bob", "$new")
        self.assertIsNone(await sessions.find(DIGEST))
        await self.accounts.set_role("bob", Role.OPERATOR)
        self.assertEqual(await self.accounts.user("bob"), UserRow("bob", Role.OPERATOR, "$new", NOW + 1))

    async def test_preferences(self) -> None:
        """How a user likes to see things is kept; nobody else's changes."""
        await self.accounts.add_user(ADA)
        await self.accounts.add_user(BOB)
        liked = Preferences("Asia/Tokyo", Hours.TWELVE, UnitSystem.IMPERIAL, Theme.DARK, "de")
        await self.accounts.set_preferences("bob", liked)
        self.assertEqual(await self.accounts.users(), (ADA, msgspec.structs.replace(BOB, preferences=liked)))
        await self.assertFailure(self.accounts.set_preferences("eve", liked), NotFound)

    async def test_last_admin(self) -> None:
        """The last administrator can be neither removed nor demoted; one of two can."""
        await self.accounts.add_user(ADA)
        await self.accounts.add_user(BOB)
        await self.assertFailure(self.accounts.set_role("ada", Role.OPERATOR), LastAdmin)
        await self.assertFailure(self.accounts.remove_user("ada"), LastAdmin)
        await self.accounts.set_role("bob", Role.ADMIN)
        await self.accounts.remove_user("ada")
        self.assertEqual([user.name for user in await self.accounts.users()], ["bob"])

    async def test_unknown(self) -> None:
        """Nothing can be changed of a user that there is not."""
        changes: list[Deferred[Any]] = [
            self.accounts.set_password("eve", ""),
            self.accounts.set_role("eve", Role.ADMIN),
            self.accounts.set_role("eve", Role.VIEWER),
            self.accounts.remove_user("eve"),
        ]
        for change in changes:
            self.assertIn("no user named eve", str(await self.assertFailure(change, NotFound)))

    def test_no_secret_in_sight(self) -> None:
        """The hash of a password is in no text that may be logged."""
        self.assertNotIn("argon2", repr(ADA))


class SetupTests(AccountsCase):
    """The link by which the first user comes in."""

    async def prepare(self) -> None:
        await super().prepare()
        await self.accounts.set_secret(SecretRow(SETUP, DIGEST, NOW, NOW + 60))

    async def test_secret(self) -> None:
        """There is one; a new one takes its place."""
        self.assertEqual(await self.accounts.secret(SETUP), SecretRow(SETUP, DIGEST, NOW, NOW + 60))
        await self.accounts.set_secret(SecretRow(SETUP, b"new", NOW, NOW + 90))
        self.assertEqual(await self.accounts.secret(SETUP), SecretRow(SETUP, b"new", NOW, NOW + 90))
        await self.assertFailure(self.accounts.redeem_setup(DIGEST, NOW, ADA), NotRedeemable)

    async def test_redeem(self) -> None:
        """It lets one user in, and is spent."""
        await self.accounts.redeem_setup(DIGEST, NOW + 59, ADA)
        self.assertEqual(await self.accounts.users(), (ADA,))
        self.assertIsNone(await self.accounts.secret(SETUP))
        await self.assertFailure(self.accounts.redeem_setup(DIGEST, NOW + 59, BOB), NotRedeemable)

    async def test_two_at_once(self) -> None:
        """Of two who use it at once, one comes in."""
        first, second = self.accounts.redeem_setup(DIGEST, NOW, ADA), self.accounts.redeem_setup(DIGEST, NOW, BOB)
        await first
        await self.assertFailure(second, NotRedeemable)
        self.assertEqual(await self.accounts.users(), (ADA,))

    async def test_expired(self) -> None:
        """It works for so long, and with the right secret."""
        await self.assertFailure(self.accounts.redeem_setup(DIGEST, NOW + 60, ADA), NotRedeemable)
        await self.assertFailure(self.accounts.redeem_setup(b"guess", NOW, ADA), NotRedeemable)
        self.assertEqual(await self.accounts.count_users(), 0)

    async def test_both_or_neither(self) -> None:
        """Where there is a user already, the link is not spent, and nobody is added."""
        await self.accounts.add_user(ADA)
        await self.assertFailure(self.accounts.redeem_setup(DIGEST, NOW, BOB), NotRedeemable)
        self.assertEqual(await self.accounts.users(), (ADA,))
        self.assertIsNotNone(await self.accounts.secret(SETUP))


class ResetTests(AccountsCase):
    """The link by which somebody gets another password."""

    async def prepare(self) -> None:
        await super().prepare()
        await self.accounts.add_user(ADA)
        await self.accounts.add_user(BOB)
        await self.accounts.set_secret(SecretRow(f"{RESET}bob", DIGEST, NOW, NOW + 60))

    async def test_redeem(self) -> None:
        """It gives one user another password, ends their sessions, and is spent."""
        sessions = Sessions(self.database)
        await sessions.add(b"1", "bob", NOW, NOW + 60)
        await self.accounts.redeem_reset(DIGEST, NOW + 59, "bob", "$new")
        self.assertEqual([row.password_hash for row in await self.accounts.users()], [ADA.password_hash, "$new"])
        self.assertIsNone(await sessions.find(b"1"))
        await self.assertFailure(self.accounts.redeem_reset(DIGEST, NOW, "bob", "$newer"), NotRedeemable)

    async def test_refused(self) -> None:
        """It works for so long, with its secret, and for its user alone."""
        for digest, now, name in ((DIGEST, NOW + 60, "bob"), (b"guess", NOW, "bob"), (DIGEST, NOW, "ada")):
            await self.assertFailure(self.accounts.redeem_reset(digest, now, name, "$new"), NotRedeemable)

    async def test_over(self) -> None:
        """It counts no more when the password was changed in another way, or the user is gone."""
        await self.accounts.set_password("bob", "$new")
        self.assertIsNone(await self.accounts.secret_with(DIGEST))
        await self.accounts.set_secret(SecretRow(f"{RESET}bob", DIGEST, NOW, NOW + 60))
        await self.accounts.remove_user("bob")
        self.assertIsNone(await self.accounts.secret_with(DIGEST))
