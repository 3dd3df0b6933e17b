"""Enrollment tokens, as the server gives them out."""

from __future__ import annotations

from iotcenter.identity.enrollment import MAX_LIFETIME, Enrollments, EnrollmentState
from iotcenter.identity.errors import Unfit
from iotcenter.storage.errors import NotFound
from iotcenter.wire.token import parse_token
from tests.identity.support import NOW, StoreCase, failure_of, open_authority

ADDRESS = ("center.example", 9998)


class EnrollmentsTests(StoreCase):
    """From being given out to the end."""

    def setUp(self) -> None:
        super().setUp()
        self.authority = open_authority(self.directory, self.clock)
        self.enrollments = Enrollments(self.store, self.authority, self.clock.seconds)

    async def issue(self, name: str = "kitchen-pi", lifetime: float = 60.0) -> bytes:
        """The secret in a new token."""
        return parse_token(await self.enrollments.issue(name, lifetime, "anna", ADDRESS)).secret

    async def state(self, secret: bytes) -> EnrollmentState | None:
        """What has become of the token with that secret."""
        found = await self.enrollments.find(secret)
        return None if found is None else self.enrollments.state(found)

    async def test_token(self) -> None:
        """A token says where the server is and how to know it, and no two have the same secret."""
        first, second = [parse_token(await self.enrollments.issue("a", 60, "anna", ADDRESS)) for _number in range(2)]
        self.assertEqual((first.host, first.port), ADDRESS)
        self.assertEqual(first.fingerprint, self.authority.fingerprint)
        self.assertNotEqual(first.secret, second.secret)

    async def test_listed(self) -> None:
        """A token is listed with who gave it out, for whom and until when."""
        await self.issue()
        [row] = await self.enrollments.open()
        self.assertEqual((row.name, row.actor, row.expires, row.device), ("kitchen-pi", "anna", NOW + 60, None))

    async def test_known_device(self) -> None:
        """A token for a name that a device has is for that device."""
        device = await self.store.devices.add("0" * 32, "kitchen-pi", "tls", NOW)
        await self.issue()
        [row] = await self.enrollments.open()
        self.assertEqual(row.device, device.id)

    async def test_not_on_disk(self) -> None:
        """Whoever reads the disk cannot enroll by what is there."""
        secret = await self.issue()
        await self.store.close()
        for file in self.directory.rglob("*"):
            if file.is_file():
                self.assertNotIn(secret, file.read_bytes())
                self.assertNotIn(secret.hex().encode(), file.read_bytes())

    async def test_expires(self) -> None:
        """A token ends when its time is over."""
        secret = await self.issue()
        self.assertIs(await self.state(secret), EnrollmentState.OPEN)
        self.clock.advance(60)
        self.assertIs(await self.state(secret), EnrollmentState.EXPIRED)
        self.assertEqual(await self.enrollments.open(), ())

    async def test_withdrawn(self) -> None:
        """A token that was withdrawn is unknown."""
        secret = await self.issue()
        [row] = await self.enrollments.open()
        await self.enrollments.withdraw(row.id)
        self.assertIsNone(await self.state(secret))
        await failure_of(self.enrollments.withdraw(row.id), NotFound)

    async def test_unknown(self) -> None:
        """A secret that was never given out is no token's."""
        self.assertIsNone(await self.state(b"\0" * 16))

    async def test_unfit(self) -> None:
        """What cannot be is refused, and the form learns which field is wrong."""
        good = ("kitchen-pi", 60.0, ADDRESS)
        wrong: dict[str, list[tuple[str, float, tuple[str, int]]]] = {
            "name": [(name, *good[1:]) for name in ("", "-a", "Kitchen", "a" * 64, "a.b", "a\n")],
            "lifetime": [
                (good[0], life, ADDRESS) for life in (0.0, -1.0, MAX_LIFETIME + 1, float("nan"), float("inf"))
            ],
            "address": [
                (*good[:2], address)
                for address in (("", 1), ("a b", 1), ("-h", 1), ("a;b", 1), ("a" * 254, 1), ("a", 0), ("a", 65536))
            ],
        }
        for field, cases in wrong.items():
            for name, lifetime, address in cases:
                error = await failure_of(self.enrollments.issue(name, lifetime, "anna", address), Unfit)
                self.assertEqual(error.field, field, (name, lifetime, address))

    async def test_addresses(self) -> None:
        """A device can be told names and addresses of both versions."""
        for host in ("center", "a.b-c.example", "192.0.2.1", "2001:db8::1", "::1", "::ffff:192.0.2.1", "a" * 253):
            token = await self.enrollments.issue("kitchen-pi", 60, "anna", (host, 9998))
            self.assertEqual(parse_token(token).host, host)
