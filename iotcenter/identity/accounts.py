"""The devices that may come in, and by which key each is known."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import msgspec
from cryptography.hazmat.primitives.serialization import Encoding

from iotcenter.finishing import finishing
from iotcenter.identity.authority import Authority
from iotcenter.identity.certificates import key_of_request
from iotcenter.identity.digest import digest_of
from iotcenter.identity.enrollment import EnrollmentState, require_device_name, state_of
from iotcenter.identity.throttle import Throttle
from iotcenter.identity.udp_keys import UdpKeys
from iotcenter.identity.watchers import Barred, Watchers
from iotcenter.interfaces import Refused
from iotcenter.logs import activity
from iotcenter.model import DeviceId
from iotcenter.storage.devices import DeviceRow
from iotcenter.storage.errors import NotFound, NotRedeemable, StorageError
from iotcenter.storage.store import Store
from iotcenter.wire.messages import Enrolled

_activity = activity()

RENEWALS = 10
"""How often a minute a device may renew its certificate: each time writes. Certificates of 20 seconds take five."""

UNKNOWN = "this server does not know the device: enroll it with a new token"
REVOKED = "the device was revoked: enroll it with a new token"
REMOVED = "the device was removed from this server: enroll it with a new token"
REPLACED = "the device was enrolled again since, with another key: enroll it with a new token"
NO_KEY = "the device has no key yet: enroll it with its token"

NO_TOKEN = "this server does not know that enrollment token: ask for a new one"
OVER = {
    EnrollmentState.USED: "that enrollment token was used already, and works only once: ask for a new one",
    EnrollmentState.EXPIRED: "that enrollment token has expired: ask for a new one",
}


@dataclass(frozen=True)
class Entry:
    """What a device must show: the key with this hash, none while it has not enrolled."""

    key: bytes | None
    revoked: bool = False


class Accounts:
    """The allow-list. It is kept in memory, since TLS asks while a handshake waits, and follows storage.

    All changes of who may come in go through here. Each counts from the turn of the reactor in which storage confirms
    it: in that turn the list changes, and those who watch the device are told. Fits ``iotcenter.interfaces.Accounts``.
    """

    def __init__(self, store: Store, authority: Authority, seconds: Callable[[], float]) -> None:
        self._store = store
        self._authority = authority
        self._seconds = seconds
        self.admitted: Callable[[DeviceRow], None] = lambda _: None
        """Told of each device that was added, or enrolled anew, in the turn in which it may come in."""
        self.udp = UdpKeys(store, authority)
        """What devices over UDP prove themselves with."""
        self._list: dict[DeviceId, Entry] = {}
        self._watchers = Watchers()
        self._renewals = Throttle(RENEWALS, seconds)

    async def load(self) -> None:
        """Read the list, before anything listens: until then nobody may come in."""
        self._list = {row.id: Entry(row.key, row.revoked) for row in await self._store.devices.all()}
        await self.udp.load()

    def check(self, device: DeviceId, key: bytes) -> None:
        """Raise ``Refused``, in words for the device's owner, unless ``device`` may come in with this key."""
        entry = self._list.get(device)
        if entry is None:
            raise Refused(UNKNOWN)
        if entry.revoked:
            raise Refused(REVOKED)
        if entry.key is None:
            raise Refused(NO_KEY)
        if entry.key != key:
            raise Refused(REPLACED)

    def watch(self, device: DeviceId, barred: Barred) -> Callable[[], None]:
        """Call ``barred(reason)`` once, when ``device`` may no longer come in as it did. Returns what ends the watch.

        To be called in the same turn of the reactor as ``check``, since what happened before is not told.
        """
        return self._watchers.add(device, barred)

    @finishing
    async def add(self, name: str, transport: str, actor: str) -> DeviceRow:
        """Make a device, which cannot come in before it has a key. Fails with ``Unfit`` or storage's ``NameTaken``."""
        require_device_name(name)
        row = await self._store.devices.add(_new_id(), name, transport, self._seconds())
        self._welcome(row)
        _activity.info("{actor} added the device {name}", actor=actor, name=name)
        return row

    @finishing
    async def add_udp(self, name: str, version1: bool, actor: str) -> tuple[DeviceRow, bytes]:
        """Make a device for UDP, and its key, which nobody can be told again. Fails as ``add`` does."""
        require_device_name(name)
        row = DeviceRow(_new_id(), name, "udp", self._seconds())
        key = await self.udp.add(row, version1)
        self._welcome(row)
        _activity.info("{actor} added the device {name} for UDP", actor=actor, name=name)
        return row, key

    @finishing
    async def renew_udp(self, device: DeviceId, actor: str) -> bytes:
        """A new key for UDP; a session with the old one ends, and a device that was revoked may come in again."""
        row = await self._store.devices.get(device)
        before = self.udp.find(bytes.fromhex(device))
        key = await self.udp.renew(device, before is not None and before.version1)
        self._list[device] = Entry(self._list[device].key)
        self._watchers.bar(device, REPLACED)
        self.admitted(msgspec.structs.replace(row, revoked=False))
        _activity.info("{actor} gave {name} a new key for UDP", actor=actor, name=row.name)
        return key

    @finishing
    async def take_in(self, device: DeviceId, key: bytes) -> None:
        """A device of an old installation has shown that its key comes of the master key: know it from now on.

        It is named after its id. Raises ``Refused`` for one that is known already: it was revoked.
        """
        if device in self._list:
            raise Refused(REVOKED)
        row = DeviceRow(device, f"device-{device[:8]}", "udp", self._seconds())
        with _storage_refuses():
            if await self._store.devices.named(row.name) is not None:
                row = msgspec.structs.replace(row, name=f"device-{device}")
            await self.udp.add(row, True, key)
        self._welcome(row)
        _activity.info("took in the device {name}, by the master key of version 1", name=row.name)

    @finishing
    async def admit(self, name: str, transport: str) -> DeviceId:
        """See ``iotcenter.interfaces.Accounts``."""
        with _storage_refuses():
            row = await self._store.devices.named(name) or await self.add(name, transport, f"the transport {transport}")
        if row.transport != transport:
            raise Refused(f"{name} is a device that comes in over {row.transport}")
        if row.revoked:
            raise Refused(REVOKED)
        return row.id

    @finishing
    async def enroll(self, secret: bytes, request: bytes, agent: str) -> Enrolled:
        """Redeem the secret of a token for a certificate. Of two who show it at once, one comes too late."""
        digest = digest_of(secret)
        with _storage_refuses():
            device = await self._device_for(digest)  # first: the requests of strangers are not even parsed
            key = key_of_request(request)
            certificate, expires = self._authority.sign_device(request, device)
            udp_key, sealed = self.udp.fresh(device)
            row = await self._store.enrollments.redeem(digest, self._seconds(), device, "tls", key, expires, sealed)
        self.udp.stored(row.id, udp_key)
        self._admit(row.id, key)
        self.admitted(row)
        _activity.info("the device {name} enrolled, with {agent!r}", name=row.name, agent=agent)
        return Enrolled(row.name, row.id, certificate, self._authority.root.public_bytes(Encoding.DER), udp_key)

    @finishing
    async def renew(self, device: DeviceId, request: bytes) -> bytes:
        """A new certificate for a device that may come in, for the key by which it is known and for no other."""
        self._renewals.spend(device)
        key = key_of_request(request)
        self.check(device, key)
        certificate, expires = self._authority.sign_device(request, device)
        with _storage_refuses():
            await self._store.devices.renewed(device, key, expires)
        return certificate

    @finishing
    async def revoke(self, device: DeviceId) -> None:
        """Bar a device until it is enrolled again, with a token from after this. Fails with a ``StorageError``."""
        await self._revoke(device, REVOKED)

    @finishing
    async def remove(self, device: DeviceId) -> None:
        """Bar a device for good, and forget all that it ever sent. Fails with a ``StorageError``."""
        await self._revoke(device, REMOVED)
        await self._store.devices.remove(device)
        self._list.pop(device, None)

    async def _revoke(self, device: DeviceId, reason: str) -> None:
        # The tokens first: none that was given out before may bring the device back, not even one that seems to have
        # expired, lest a clock that is set back revives it.
        name = (await self._store.devices.get(device)).name
        for enrollment in await self._store.enrollments.open(0):
            if enrollment.device == device or (enrollment.device is None and enrollment.name == name):
                with suppress(NotFound):  # used at this very moment, which the next line makes undone
                    await self._store.enrollments.withdraw(enrollment.id)
        await self._store.devices.revoke(device)
        await self.udp.forget(device)
        self._list[device] = Entry(None, revoked=True)
        self._watchers.bar(device, reason)

    def _welcome(self, row: DeviceRow) -> None:
        self._list[row.id] = Entry(row.key)
        self.admitted(row)

    def _admit(self, device: DeviceId, key: bytes) -> None:
        before = self._list.get(device)
        self._list[device] = Entry(key)
        if before is not None and before.key != key:
            self._watchers.bar(device, REPLACED)

    async def _device_for(self, digest: bytes) -> DeviceId:
        """The id of the device that a token is for. Raises ``Refused`` where the token cannot be used."""
        enrollment = await self._store.enrollments.find(digest)
        if enrollment is None:
            raise Refused(NO_TOKEN)
        state = state_of(enrollment, self._seconds())
        if state is not EnrollmentState.OPEN:
            raise Refused(OVER[state])
        return enrollment.device or _new_id()


@contextmanager
def _storage_refuses() -> Iterator[None]:
    """Within it, what storage cannot do is refused: the device's owner is told why, such as that the disk is full."""
    try:
        yield
    except NotRedeemable:  # who else used the token came first by an instant
        raise Refused(OVER[EnrollmentState.USED]) from None
    except StorageError as error:
        raise Refused(str(error)) from error


def _new_id() -> DeviceId:
    return secrets.token_hex(16)
