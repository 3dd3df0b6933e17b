"""A thousand guesses at a password, from one address and from two hundred."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol

from iotcenter.identity.passwords import Passwords
from iotcenter.identity.users import TRIES_OF_ACCOUNT
from iotcenter.model import EventKind, Role
from tests.web.support import PASSWORD, Visitor, WebTestCase
from tests.web.wire import Wire

TRIES = 1000

AT_ONCE = 20
"""How many guesses are under way at the same time."""


class GuessTests(WebTestCase):
    """Somebody who knows a name, and guesses."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Anna has a session."""
        await super().setUp()
        self.anna: Visitor = await self.user(Role.ADMIN, "anna")
        self.checked: list[str | None] = []
        verify = Passwords.verify

        async def count(passwords: Passwords, hashed: str | None, password: str) -> bool:
            self.checked.append(hashed)
            return await verify(passwords, hashed, password)

        self.patch(Passwords, "verify", count)

    async def guess(self, name: str, source: str, password: str = "a wrong guess") -> int:
        """The status of a try to sign in from an address of loopback."""
        port = self.port.getHost().port
        endpoint = TCP4ClientEndpoint(self.reactor, "127.0.0.1", port, bindAddress=(source, 0))
        wire: Wire = await connectProtocol(endpoint, Wire())
        body = urlencode({"name": name, "password": password}).encode()
        head = f"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
        wire.write(f"{head}Content-Type: application/x-www-form-urlencoded\r\n\r\n".encode() + body)
        return int((await wire.lost).split(b" ", 2)[1])

    async def flood(self, sources: int) -> list[int]:
        """The statuses of all guesses at anna's password. They take far less than a minute."""
        statuses: list[int] = []
        for start in range(0, TRIES, AT_ONCE):
            tries = [self.guess("anna", f"127.0.1.{1 + number % sources}") for number in range(start, start + AT_ONCE)]
            statuses += await together(tries)
        return statuses

    async def assert_braked(self, statuses: list[int]) -> None:
        """No more than ten were as much as looked at, whose are in the log; anna has noticed nothing."""
        self.assertEqual(len(self.checked), TRIES_OF_ACCOUNT)
        self.assertEqual((statuses.count(403), statuses.count(429)), (TRIES_OF_ACCOUNT, TRIES - TRIES_OF_ACCOUNT))
        self.assertEqual((await self.ask("GET", "/devices", self.anna)).status, 200)
        await self.parts.sessions.create("anna")  # waits for what is written
        events = await self.center.events.recent(100)
        self.assertEqual(len([event for event in events if event.kind == EventKind.SIGN_IN_REFUSED]), TRIES_OF_ACCOUNT)

    async def test_from_one_address(self) -> None:
        """From one address ten guesses a minute are looked at; another account can still sign in from there."""
        await self.assert_braked(await self.flood(1))
        await self.parts.users.add("berta", Role.VIEWER, PASSWORD)
        self.assertEqual(await self.guess("berta", "127.0.1.1", PASSWORD), 303)

    async def test_from_many_addresses(self) -> None:
        """From two hundred addresses it is ten guesses a minute for the account as well."""
        await self.assert_braked(await self.flood(200))

    async def test_many_names(self) -> None:
        """From one address thirty guesses a minute are looked at, whatever names they are for; others do not feel it.
        A name that nobody has takes the same work as one that somebody has."""
        statuses = await together([self.guess(f"name{number}", "127.0.1.1") for number in range(60)])
        self.assertEqual((statuses.count(403), len(self.checked)), (30, 30))
        self.assertEqual(set(self.checked), {None})
        self.assertEqual(await self.guess("anna", "127.0.1.2", PASSWORD), 303)


async def together(work: list[Any]) -> list[int]:
    """What all of them give, in order; they run at the same time."""
    found: list[int] = await gatherResults([Deferred.fromCoroutine(one) for one in work])
    return found
