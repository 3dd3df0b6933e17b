"""What several tests of identities need."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

from argon2 import PasswordHasher
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import NameOID
from twisted.internet.task import Clock
from twisted.trial.unittest import FailTest, SynchronousTestCase, TestCase

from iotcenter.identity.authority import Authority
from iotcenter.identity.passwords import Passwords
from iotcenter.identity.users import Users
from iotcenter.storage.store import Store

E = TypeVar("E", bound=BaseException)

NOW = 1_795_000_000.0
"""When the tests take place: in November 2026."""

DEVICE = "0123456789abcdef0123456789abcdef"


def clock_at(now: float = NOW) -> Clock:
    """A clock that stands at ``now`` until it is told to go on."""
    clock = Clock()
    clock.rightNow = now
    return clock


def new_directory(case: SynchronousTestCase) -> Path:
    """An empty directory of the test's own."""
    directory = Path(case.mktemp()).absolute()
    directory.mkdir(parents=True)
    return directory


def open_authority(directory: Path, clock: Clock, device_days: float = 90.0) -> Authority:
    """The authority in ``directory``, which lives by ``clock``."""
    return Authority.open(directory, clock.seconds, device_days)


def new_private_key() -> ec.EllipticCurvePrivateKey:
    """A key such as a device makes for itself."""
    return ec.generate_private_key(ec.SECP256R1())


def certificate_request(
    key: CertificateIssuerPrivateKeyTypes | None = None, *extensions: x509.ExtensionType, subject: str = "somebody"
) -> bytes:
    """A certificate request (DER) for ``key``, or for a new one."""
    builder = x509.CertificateSigningRequestBuilder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(key or new_private_key(), hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def cheap_hasher() -> PasswordHasher:
    """Hashes passwords quickly, for tests of something else."""
    return PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


async def failure_of(flow: Awaitable[object], kind: type[E]) -> E:
    """The exception of that kind with which ``flow`` ends; any other outcome fails the test."""
    try:
        result = await flow
    except kind as error:
        return error
    raise FailTest(f"expected {kind.__name__}, got {result!r}")


class StoreCase(TestCase):
    """A test with a real store, by a clock that stands still."""

    def setUp(self) -> None:
        self.clock = clock_at()
        self.directory = new_directory(self)
        self.open_store()
        self.addCleanup(lambda: self.store.close())

    def open_store(self) -> None:
        """Open the store, as a start of the server does."""
        from twisted.internet import reactor

        self.store = Store(self.directory, reactor)
        self.store.open()

    async def restart(self) -> None:
        """Close the store and open it again."""
        await self.store.close()
        self.open_store()

    def new_users(self) -> Users:
        """Users whose passwords are quick to check."""
        from twisted.internet import reactor

        passwords = Passwords(reactor, cheap_hasher())
        self.addCleanup(passwords.close)
        return Users(self.store, self.clock, passwords)


def pem(certificate: x509.Certificate) -> bytes:
    """``certificate`` as it stands in files."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def key_pem(key: CertificateIssuerPrivateKeyTypes, passphrase: bytes | None = None) -> bytes:
    """``key`` as it stands in files."""
    protection = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)
