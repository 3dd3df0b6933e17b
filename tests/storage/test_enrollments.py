from __future__ import annotations

from twisted.internet.defer import Deferred

from iotcenter.storage.devices import DeviceRow
from iotcenter.storage.enrollments import REMEMBERED, EnrollmentRow, Enrollments
from iotcenter.storage.errors import NameTaken, NotFound, NotRedeemable
from tests.storage.support import GARDEN, KITCHEN, NOW, ReadingsCase

DIGEST = b"d" * 32
KEY = b"k" * 32
NEW = "e" * 32


class EnrollmentsTests(ReadingsCase):
    """Tokens that let devices in."""

    async def prepare(self) -> None:
        await super().prepare()
        self.enrollments = Enrollments(self.database)

    def add(self, name: str, digest: bytes = DIGEST) -> Deferred[EnrollmentRow]:
        return self.enrollments.add(digest, name, "ada", NOW, NOW + 60)

    def redeem(
        self, device: str, digest: bytes = DIGEST, now: float = NOW + 1, key: bytes = KEY
    ) -> Deferred[DeviceRow]:
        return self.enrollments.redeem(digest, now, device, "tls", key, NOW + 90)

    async def test_found(self) -> None:
        """A token is found by its secret, and says whom it is for."""
        self.assertEqual(await self.add("cellar"), EnrollmentRow(1, "cellar", None, "ada", NOW, NOW + 60))
        self.assertEqual(await self.add("kitchen", b"2"), EnrollmentRow(2, "kitchen", KITCHEN, "ada", NOW, NOW + 60))
        self.assertEqual(await self.enrollments.find(DIGEST), EnrollmentRow(1, "cellar", None, "ada", NOW, NOW + 60))
        self.assertIsNone(await self.enrollments.find(b"unknown"))

    async def test_open(self) -> None:
        """Those that can still be used are listed; what was used, withdrawn or has expired is not."""
        for number, name in enumerate(["cellar", "attic", "shed"]):
            await self.add(name, bytes([number]))
        await self.redeem(NEW, bytes([0]))
        await self.enrollments.withdraw(2)
        self.assertEqual([row.name for row in await self.enrollments.open(NOW)], ["shed"])
        self.assertEqual(await self.enrollments.open(NOW + 60), ())
        await self.assertFailure(self.enrollments.withdraw(1), NotFound)
        await self.assertFailure(self.enrollments.withdraw(2), NotFound)

    async def test_new_device(self) -> None:
        """Redeeming a token for a new name makes the device, with its key."""
        await self.add("cellar")
        row = await self.redeem(NEW)
        expected = DeviceRow(NEW, "cellar", "tls", NOW + 1, key=KEY, certificate_expires=NOW + 90)
        self.assertEqual((row, await self.devices.get(NEW)), (expected, expected))
        self.assertEqual(
            await self.enrollments.find(DIGEST), EnrollmentRow(1, "cellar", NEW, "ada", NOW, NOW + 60, used=NOW + 1)
        )

    async def test_known_device(self) -> None:
        """Redeeming one for a device that is known gives it another key, even when it was revoked or renamed."""
        await self.add("kitchen", b"former")
        await self.redeem(KITCHEN, b"former", key=b"former")
        await self.add("kitchen")
        await self.devices.revoke(KITCHEN)
        await self.devices.rename(KITCHEN, "scullery")
        row = await self.redeem(KITCHEN)
        self.assertEqual((row.name, row.key, row.revoked), ("scullery", KEY, False))

    async def test_once(self) -> None:
        """Of two who show a token, one at once with the other, the first comes in."""
        await self.add("cellar")
        first, second = self.redeem(NEW), self.redeem(NEW, key=b"thief")
        await first
        await self.assertFailure(second, NotRedeemable)
        await self.assertFailure(self.redeem(NEW, key=b"thief"), NotRedeemable)
        self.assertEqual((await self.devices.get(NEW)).key, KEY)

    async def test_not_redeemable(self) -> None:
        """A token that is unknown, expired, withdrawn or for another device changes nothing."""
        row = await self.add("kitchen")
        await self.assertFailure(self.redeem(KITCHEN, b"guess"), NotRedeemable)
        await self.assertFailure(self.redeem(KITCHEN, now=NOW + 60), NotRedeemable)
        await self.assertFailure(self.redeem(GARDEN), NotRedeemable)
        await self.enrollments.withdraw(row.id)
        await self.assertFailure(self.redeem(KITCHEN), NotRedeemable)
        self.assertEqual([device.key for device in await self.devices.all()], [None, None])

    async def test_name_taken_meanwhile(self) -> None:
        """Where a device of the new name came in meanwhile, nothing happens, and the token is not spent."""
        await self.add("cellar")
        await self.devices.add("c" * 32, "cellar", "udp", NOW)
        await self.assertFailure(self.redeem(NEW), NameTaken)
        await self.assertFailure(self.devices.get(NEW), NotFound)
        self.assertEqual(len(await self.enrollments.open(NOW)), 1)

    async def test_forgotten(self) -> None:
        """Used and expired tokens are remembered for a while, to tell who comes late; then they go."""
        await self.add("cellar")
        await self.enrollments.add(b"2", "attic", "ada", NOW + 60 + REMEMBERED - 1, NOW * 2)
        self.assertIsNotNone(await self.enrollments.find(DIGEST))
        await self.enrollments.add(b"3", "shed", "ada", NOW + 60 + REMEMBERED, NOW * 2)
        self.assertIsNone(await self.enrollments.find(DIGEST))
