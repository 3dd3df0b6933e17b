"""A server that devices enroll with, for tests of who may come in."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec

from iotcenter.identity.accounts import Accounts
from iotcenter.identity.certificates import key_of_request
from iotcenter.identity.enrollment import Enrollments
from iotcenter.interfaces import Refused
from iotcenter.wire.messages import Enrolled
from iotcenter.wire.token import parse_token
from tests.identity.support import (
    StoreCase,
    certificate_request,
    open_authority,
)


class AccountsCase(StoreCase):
    """A server that devices enroll with."""

    def setUp(self) -> None:
        super().setUp()
        self.authority = open_authority(self.directory, self.clock)
        self.open_accounts()
        self.barred: list[str] = []

    async def token(self, name: str = "kitchen-pi", lifetime: float = 60.0) -> bytes:
        """The secret in a new token."""
        return parse_token(await self.enrollments.issue(name, lifetime, "anna", ("center", 9998))).secret

    async def enroll(self, key: ec.EllipticCurvePrivateKey, name: str = "kitchen-pi") -> Enrolled:
        """A device that has joined with ``key``."""
        return await self.accounts.enroll(await self.token(name), certificate_request(key), "test")

    def refusal(self, device: str, key: ec.EllipticCurvePrivateKey) -> str:
        """Why ``device`` may not come in with ``key``; empty where it may."""
        try:
            self.accounts.check(device, key_of_request(certificate_request(key)))
        except Refused as error:
            return str(error)
        return ""

    def open_accounts(self) -> None:
        """What goes with the store that is open now."""
        self.enrollments = Enrollments(self.store, self.authority, self.clock.seconds)
        self.accounts = Accounts(self.store, self.authority, self.clock.seconds)

    async def after_restart(self) -> None:
        """The accounts as a restarted server sees them."""
        await self.restart()
        self.open_accounts()
        await self.accounts.load()

    async def settled(self) -> None:
        """Let storage get on by a step or two."""
        await self.store.accounts.count_users()
