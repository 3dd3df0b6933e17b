from __future__ import annotations

import msgspec

from iotcenter.model import Role
from iotcenter.storage import tokens
from iotcenter.storage.accounts import Accounts
from iotcenter.storage.errors import NameTaken, NotFound
from iotcenter.storage.tokens import ApiToken, Tokens, TooManyTokens
from tests.storage.support import NOW, DatabaseCase
from tests.storage.test_accounts import ADA, BOB, DIGEST


class TokenTests(DatabaseCase):
    """Programs' ways in."""

    async def prepare(self) -> None:
        self.tokens = Tokens(self.database)

    async def test_token(self) -> None:
        """A token is found by its secret, and listed by its name."""
        token = ApiToken("grafana", Role.VIEWER, NOW, NOW + 60)
        await self.tokens.add(DIGEST, token)
        await self.tokens.add(b"other", ApiToken("backup", Role.ADMIN, NOW))
        await self.tokens.use(DIGEST, NOW + 1)
        used = msgspec.structs.replace(token, last_used=NOW + 1)
        self.assertEqual(await self.tokens.find(DIGEST), used)
        self.assertIsNone(await self.tokens.find(b"unknown"))
        self.assertEqual(await self.tokens.all(), (ApiToken("backup", Role.ADMIN, NOW), used))

    async def test_name_taken(self) -> None:
        """Two tokens cannot have one name."""
        await self.tokens.add(DIGEST, ApiToken("grafana", Role.VIEWER, NOW))
        await self.assertFailure(self.tokens.add(b"other", ApiToken("grafana", Role.ADMIN, NOW)), NameTaken)

    async def test_remove(self) -> None:
        """A token that is removed is found no more."""
        await self.tokens.add(DIGEST, ApiToken("grafana", Role.VIEWER, NOW))
        await self.tokens.remove("grafana")
        self.assertIsNone(await self.tokens.find(DIGEST))
        await self.assertFailure(self.tokens.remove("grafana"), NotFound)

    async def test_of_somebody(self) -> None:
        """A token may never do more than its owner may now, and goes when they go."""
        accounts = Accounts(self.database)
        await accounts.add_user(ADA)
        await accounts.add_user(BOB)
        await self.tokens.add(DIGEST, ApiToken("grafana", Role.OPERATOR, NOW, owner="bob"))
        for role, most in ((Role.VIEWER, Role.VIEWER), (Role.ADMIN, Role.OPERATOR), (Role.OPERATOR, Role.OPERATOR)):
            await accounts.set_role("bob", role)
            token = await self.tokens.find(DIGEST)
            assert token is not None
            self.assertEqual(token.role, most)
        await accounts.remove_user("bob")
        self.assertIsNone(await self.tokens.named("grafana"))

    async def test_bound(self) -> None:
        """One user has only so many; those of nobody are not counted."""
        self.patch(tokens, "TOKENS_OF_AN_OWNER", 1)
        await Accounts(self.database).add_user(ADA)
        for number, owner in enumerate((None, None, "ada")):
            await self.tokens.add(bytes([number]), ApiToken(str(number), Role.VIEWER, NOW, owner=owner))
        await self.assertFailure(self.tokens.add(b"3", ApiToken("3", Role.VIEWER, NOW, owner="ada")), TooManyTokens)
