"""API tokens."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.identity.errors import Unfit
from iotcenter.identity.tokens import COARSE, ApiTokens
from iotcenter.model import Role
from iotcenter.storage.errors import NameTaken, NotFound
from iotcenter.storage.tokens import ApiToken
from tests.identity.support import NOW, StoreCase, failure_of


class ApiTokensTests(StoreCase):
    """From creation to removal."""

    def setUp(self) -> None:
        super().setUp()
        self.tokens = ApiTokens(self.store, self.clock.seconds)

    async def test_found(self) -> None:
        """A program that shows the secret has the token's role."""
        secret = await self.tokens.create("grafana", Role.VIEWER)
        self.assertTrue(secret.startswith("iotc_"))
        self.assertEqual(await self.tokens.find(secret), ApiToken("grafana", Role.VIEWER, NOW))
        self.assertIsNone(await self.tokens.find("iotc_" + "A" * 43))

    async def test_not_on_disk(self) -> None:
        """Whoever reads the disk cannot come in by what is there."""
        secret = await self.tokens.create("grafana", Role.VIEWER)
        await self.store.close()
        for file in filter(Path.is_file, self.directory.rglob("*")):
            self.assertNotIn(secret.removeprefix("iotc_").encode(), file.read_bytes())

    async def test_expires(self) -> None:
        """A token with an end ends then, and is still listed."""
        secret = await self.tokens.create("grafana", Role.VIEWER, NOW + 60)
        self.clock.advance(59)
        self.assertIsNotNone(await self.tokens.find(secret))
        self.clock.advance(1)
        self.assertIsNone(await self.tokens.find(secret))
        self.assertEqual([token.name for token in await self.tokens.list()], ["grafana"])

    async def test_removed(self) -> None:
        """A token that was removed is worth nothing from then on."""
        secret = await self.tokens.create("grafana", Role.VIEWER)
        await self.tokens.remove("grafana")
        self.assertIsNone(await self.tokens.find(secret))
        await failure_of(self.tokens.remove("grafana"), NotFound)

    async def test_last_used(self) -> None:
        """When it was last used is known to a few minutes."""
        secret = await self.tokens.create("grafana", Role.VIEWER)
        for expected in (NOW, NOW, NOW + COARSE):
            await self.tokens.find(secret)
            await failure_of(self.tokens.remove("nothing"), NotFound)  # waits for what is written
            [token] = await self.tokens.list()
            self.assertEqual(token.last_used, expected)
            self.clock.advance(COARSE / 2)

    async def test_use_not_noted(self) -> None:
        """A request is answered though the use of its token cannot be written down."""
        secret = await self.tokens.create("grafana", Role.VIEWER)
        found = Deferred.fromCoroutine(self.tokens.find(secret))
        closing = self.store.close()
        self.assertIsNotNone(await found)
        await closing

    async def test_unfit(self) -> None:
        """A token has a name that can be read, its own, and an end that is yet to come."""
        await self.tokens.create("grafana", Role.VIEWER)
        await failure_of(self.tokens.create("grafana", Role.VIEWER), NameTaken)
        for name in ("", " ", "a" * 65, "line\nend", "\ud800"):
            self.assertEqual((await failure_of(self.tokens.create(name, Role.VIEWER), Unfit)).field, "name")
        error = await failure_of(self.tokens.create("late", Role.VIEWER, NOW), Unfit)
        self.assertEqual(error.field, "expires")


class SecretTests(SynchronousTestCase):
    """What programs send."""

    @given(st.one_of(st.text(), st.text().map("iotc_".__add__)))
    def test_any_text(self, secret: str) -> None:
        """What does not look like a token is not even looked up."""
        tokens = ApiTokens(Unused(), lambda: NOW)  # type: ignore[arg-type]
        self.assertIsNone(self.successResultOf(Deferred.fromCoroutine(tokens.find(secret))))


class Unused:
    """A store that nobody may ask."""

    accounts = sessions = tokens = None
