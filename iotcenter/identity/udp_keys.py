"""The keys that devices over UDP share with the server.

The server must be able to use them, so no hash of them will do. In the database they are sealed with a key that comes
of the root's, in ``authority/``: a copy of the database alone lets nobody pretend to be a device.
"""

from __future__ import annotations

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from iotcenter.identity.authority import Authority
from iotcenter.identity.errors import Unfit
from iotcenter.model import DeviceId
from iotcenter.storage.devices import DeviceRow
from iotcenter.storage.errors import NotFound
from iotcenter.storage.store import Store
from iotcenter.storage.udp_keys import UdpKeyRow
from iotcenter.wire.udp.keys import KEY, DeviceKeys

PURPOSE = b"iotcenter keys of devices over UDP"
NONCE = 12
MASTER = b"master"

MASTER_SIZE = (16, 64)
"""Bytes that the master key of an old installation has, from and to."""


class UdpKey:
    """A device's key, with what else decides whether its datagrams are taken. Its ``repr`` shows nothing of it."""

    def __init__(self, device: DeviceId, key: bytes, version1: bool) -> None:
        self.device = device
        self.key = key
        self.version1 = version1
        """Whether packets of version 1 are taken."""
        self.received: int | None = None
        """The last counter of version 1, None where any is taken."""
        self.sent = 0
        self._keys: DeviceKeys | None = None

    @property
    def keys(self) -> DeviceKeys:
        """What version 2 makes of the key, made when it is first needed."""
        if self._keys is None:
            self._keys = DeviceKeys(self.key)
        return self._keys


class UdpKeys:
    """Every key, in memory: a datagram is judged in the turn in which it comes."""

    _log = Logger()

    def __init__(self, store: Store, authority: Authority) -> None:
        self._store = store
        self._authority = authority
        self._keys: dict[bytes, UdpKey] = {}
        self._former: list[UdpKeyRow] = []
        self.master: bytes | None = None
        """The key from which the devices of an old installation have theirs; None where there is none."""

    async def load(self) -> None:
        """Read the keys, before anything listens. One that does not open is logged and left out."""
        for row in await self._store.udp_keys.all():
            key = self._opened(row.sealed, row.device.encode(), row.device)
            if key is not None:
                entry = self._enter(row.device, key, row.version1)
                entry.received, entry.sent = row.received, row.sent
                self._former.append(row)
        sealed = await self._store.udp_keys.master()
        self.master = None if sealed is None else self._opened(sealed, MASTER, "version 1")

    def find(self, device: bytes) -> UdpKey | None:
        """The key of the device with that id, in bytes."""
        return self._keys.get(device)

    def former_sessions(self) -> list[UdpKeyRow]:
        """The sessions that stood when the server was last stopped; asked for once."""
        former, self._former = self._former, []
        return [row for row in former if row.cid is not None]

    async def add(self, device: DeviceRow, version1: bool, key: bytes | None = None) -> bytes:
        """Make a device with a key of its own, which is the answer. Fails with ``NameTaken``."""
        key = secrets.token_bytes(KEY) if key is None else key
        await self._store.udp_keys.add(device, self._sealed(key, device.id.encode()), version1)
        self._enter(device.id, key, version1)
        return key

    def fresh(self, device: DeviceId) -> tuple[bytes, bytes]:
        """A new key for a device that enrolls, and the same sealed, for whoever stores it."""
        key = secrets.token_bytes(KEY)
        return key, self._sealed(key, device.encode())

    def stored(self, device: DeviceId, key: bytes) -> None:
        """A device's fresh key is on disk: it counts from now on, for version 2."""
        self._enter(device, key, False)

    async def renew(self, device: DeviceId, version1: bool) -> bytes:
        """A new key for a device, and the only one from now on. Fails with ``NotFound``."""
        key = secrets.token_bytes(KEY)
        await self._store.udp_keys.set(device, self._sealed(key, device.encode()), version1)
        self._enter(device, key, version1)
        return key

    async def forget(self, device: DeviceId) -> None:
        """Take a device's key away."""
        await self._store.udp_keys.forget(device)
        self._keys.pop(bytes.fromhex(device), None)

    def counted(self, entry: UdpKey, received: int | None) -> Deferred[None]:
        """Take a counter of version 1, and the next one to answer with; on disk when this fires."""
        entry.received = received
        entry.sent += 1
        return self._store.udp_keys.counted(entry.device, received, entry.sent)

    async def reset_counter(self, device: DeviceId) -> None:
        """Take the next packet of version 1 whatever its counter: the device has forgotten where it was."""
        entry = self._known(device)
        await self._store.udp_keys.reset_counter(device)
        entry.received = None

    async def allow_version1(self, device: DeviceId, allowed: bool) -> None:
        """Whether a device may use version 1 from now on."""
        entry = self._known(device)
        await self._store.udp_keys.allow_version1(device, allowed)
        entry.version1 = allowed

    def prove_version2(self, entry: UdpKey) -> Deferred[None]:
        """A device uses version 2: who sends packets of version 1 from now on may be somebody else."""
        return self._store.udp_keys.allow_version1(entry.device, False)

    def met(self, device: DeviceId, cid: bytes, host: str, port: int) -> Deferred[None]:
        """Keep which session a device has, and where it is."""
        return self._store.udp_keys.met(device, cid, host, port)

    async def set_master(self, key: bytes | None) -> None:
        """Let the devices of an old installation in, all of which have their keys from this one; None: no more."""
        if key is not None and not MASTER_SIZE[0] <= len(key) <= MASTER_SIZE[1]:
            raise Unfit("key", f"a master key has {MASTER_SIZE[0]} to {MASTER_SIZE[1]} bytes, in hexadecimal digits")
        await self._store.udp_keys.set_master(None if key is None else self._sealed(key, MASTER))
        self.master = key

    def _enter(self, device: DeviceId, key: bytes, version1: bool) -> UdpKey:
        entry = self._keys[bytes.fromhex(device)] = UdpKey(device, key, version1)
        return entry

    def _known(self, device: DeviceId) -> UdpKey:
        entry = self.find(bytes.fromhex(device))
        if entry is None:
            raise NotFound("The device has no key for UDP.")
        return entry

    def _cipher(self) -> AESGCM:
        return AESGCM(self._authority.derived_key(PURPOSE))

    def _sealed(self, key: bytes, whose: bytes) -> bytes:
        nonce = secrets.token_bytes(NONCE)
        return nonce + self._cipher().encrypt(nonce, key, whose)

    def _opened(self, sealed: bytes, whose: bytes, what: str) -> bytes | None:
        try:
            return self._cipher().decrypt(sealed[:NONCE], sealed[NONCE:], whose)
        except InvalidTag:
            self._log.error(
                "the UDP key of {what} is not sealed with this server's root key: it is not used", what=what
            )
            return None
