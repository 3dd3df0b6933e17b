"""Devices that have only a name and a password: who may register, and who they are when they log in."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from secrets import token_hex

from twisted.internet.defer import DeferredLock

from iotcenter.finishing import finishing
from iotcenter.identity.accounts import Accounts
from iotcenter.identity.errors import Overloaded, TooManyTries, Unfit
from iotcenter.identity.passwords import Passwords
from iotcenter.identity.throttle import Throttle, network_of
from iotcenter.interfaces import Refused
from iotcenter.model import DeviceId
from iotcenter.storage.devices import DeviceRow
from iotcenter.storage.errors import NameTaken, NotFound, StorageError
from iotcenter.storage.registrations import AddressTaken, MacTaken, Registration
from iotcenter.storage.store import Store
from iotcenter.wire.errors import WireError
from iotcenter.wire.registrar.codec import canonical_mac, decode, encode
from iotcenter.wire.registrar.packets import Account, Code, Deregister, Login, Register

MOST_WAITING = 64
"""How many packets with a password may wait to be checked, which takes some 35 ms each: past that they are refused."""

WRONG_PASSWORDS = 5
"""So many wrong passwords a minute from one address; further ones are refused unseen. Never counted by device-id: else
anybody could lock a device out."""

REGISTRATIONS = 30
"""How many new devices a minute may register from one address, where registration is open to all: each costs a hash."""

MOST_REGISTRATIONS = 10_000
"""With open registration anybody makes devices up; past this number only those that the owner adds may register."""

TRANSPORT = "registrar"


class CodedRefusal(Refused):
    """A refusal that the protocol has a code for; the text is for the owner's log."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code


class Registrations:
    """What REGISTER, DEREGISTER and LOGIN ask for.

    ``source`` is the address that a packet came from. A refusal is a ``CodedRefusal``; what storage cannot do fails
    with a ``StorageError``, and is answered by nothing: the device asks again.
    """

    def __init__(self, store: Store, accounts: Accounts, passwords: Passwords, seconds: Callable[[], float]) -> None:
        self._store = store.registrations
        self._devices = store.devices
        self._enrollments = store.enrollments
        self._accounts = accounts
        self._passwords = passwords
        self._seconds = seconds
        self._wrong = Throttle(WRONG_PASSWORDS, seconds)
        self._new = Throttle(REGISTRATIONS, seconds)
        self._turn = DeferredLock()

    async def find(self, device_id: str) -> Registration | None:
        """The device registered under ``device_id``, None where there is none."""
        found = await self._store.find(device_id)
        return found if found is not None and found.password_hash is not None else None

    @finishing
    async def add(self, name: str, actor: str) -> DeviceRow:
        """Make a device that may register, under its name. Fails with ``Unfit`` or storage's ``NameTaken``."""
        if await self._store.find(name) is not None:
            raise NameTaken
        row = await self._accounts.add(name, TRANSPORT, actor)
        try:
            await self._store.expect(name, row.id)
        except StorageError:
            await self._accounts.remove(row.id)
            raise
        return row

    @finishing
    async def bring(self, packet: Register) -> bool:
        """Register a device that another registrar knew; False where it is registered already, and stays as it is.

        Fails with ``Refused``.
        """
        try:
            decode(encode(packet))
        except WireError as error:
            raise Unfit("registration", str(error)) from None
        async with self._in_turn(Code.REFUSED):
            known = await self._store.find(packet.device_id)
            if known is not None and known.password_hash is not None:
                return False
            await self._enter(packet, known)
            return True

    @finishing
    async def register(self, packet: Register, source: str, open_to_all: bool) -> Code:
        """Register a device, or follow a known one to a new address."""
        async with self._in_turn(Code.MISMATCH):
            known = await self._store.find(packet.device_id)
            if known is None or known.password_hash is None:
                return await self._register_first(packet, known, source, open_to_all)
            await self._check_password(known, packet.password, source, Code.MISMATCH)
            return await self._register_again(packet, known)

    @finishing
    async def deregister(self, packet: Deregister, source: str) -> Code:
        """Forget a registration. The device, its name and its readings stay."""
        async with self._in_turn(Code.MISMATCH):
            known = await self.find(packet.device_id)
            if known is None:
                return Code.NOT_REGISTERED
            await self._check_password(known, packet.password, source, Code.MISMATCH)
            if canonical_mac(packet.mac) != known.mac or packet.ip != known.ip:
                raise CodedRefusal(Code.MISMATCH, "it is registered with another MAC or IP address")
            await self._store.forget(packet.device_id)
            return Code.DEREGISTERED

    @finishing
    async def log_in(self, packet: Login, source: str) -> DeviceId:
        """The device that LOGIN is from; from now on it listens where the packet says. Takes as long for nobody."""
        async with self._in_turn(Code.REFUSED):
            known = await self.find(packet.device_id)
            await self._check_password(known, packet.password, source, Code.REFUSED)
            assert known is not None
            if (await self._devices.get(known.device)).key is not None:
                raise CodedRefusal(Code.REFUSED, "it was enrolled since, and proves itself by its certificate alone")
            if (packet.ip, packet.port) != (known.ip, known.port):
                await self._move(packet.device_id, packet.ip, packet.port, Code.REFUSED)
            return known.device

    @asynccontextmanager
    async def _in_turn(self, refusal: Code) -> AsyncIterator[None]:
        """One packet after another. So every wrong password counts before the next is looked at; and of the few that
        the house has hashed at a time, users who sign in find places."""
        if len(self._turn.waiting) >= MOST_WAITING:
            raise CodedRefusal(refusal, str(Overloaded()))
        await self._turn.acquire()
        try:
            yield
        finally:
            self._turn.release()

    async def _register_again(self, packet: Register, known: Registration) -> Code:
        mac = canonical_mac(packet.mac)
        if mac != known.mac or packet.ip != known.ip:
            await self._check_free(packet)
        if mac != known.mac:
            raise CodedRefusal(Code.MISMATCH, "it is registered with another MAC address")
        if packet.ip == known.ip:
            return Code.UNCHANGED
        await self._move(packet.device_id, packet.ip, packet.port, Code.ADDRESS_TAKEN)
        return Code.READDRESSED

    async def _register_first(
        self, packet: Register, expected: Registration | None, source: str, open_to_all: bool
    ) -> Code:
        if expected is None:
            if not open_to_all:
                raise CodedRefusal(Code.MISMATCH, "nobody added it here, and registration is not open to all")
            if await self._store.count() >= MOST_REGISTRATIONS:
                raise CodedRefusal(Code.MISMATCH, f"there are {MOST_REGISTRATIONS} registrations already")
        self._spend(self._new, source, Code.MISMATCH)
        try:
            await self._enter(packet, expected)
        except Overloaded as overloaded:
            raise CodedRefusal(Code.MISMATCH, str(overloaded)) from None
        return Code.REGISTERED

    async def _enter(self, packet: Register, expected: Registration | None) -> None:
        await self._check_free(packet)
        hashed = await self._passwords.hash(packet.password, shortest=1)
        device = expected.device if expected is not None else await self._add_device(packet.device_id)
        mac = canonical_mac(packet.mac)
        registration = Registration(packet.device_id, device, hashed, mac, packet.ip, packet.port)
        try:
            await self._store.keep(registration)
        except (MacTaken, AddressTaken) as taken:  # another one was quicker by an instant
            if expected is None:
                await self._accounts.remove(device)
            raise _refusal(taken) from None

    async def _add_device(self, device_id: str) -> DeviceId:
        """Make a device for ``device_id``, under a name that neither has nor is promised to another."""
        promised = {enrollment.name for enrollment in await self._enrollments.open(self._seconds())}
        for name in names_for(device_id):
            try:
                if name not in promised:
                    return (await self._accounts.add(name, TRANSPORT, "the registrar")).id
            except NameTaken:
                continue
        raise AssertionError("there is always another name")

    async def _check_free(self, packet: Account) -> None:
        mac = canonical_mac(packet.mac)
        try:
            await self._store.check_free(packet.device_id, mac, packet.ip, packet.port)
        except (MacTaken, AddressTaken) as taken:
            raise _refusal(taken) from None

    async def _move(self, device_id: str, ip: str, port: int, refusal: Code) -> None:
        try:
            await self._store.move(device_id, ip, port)
        except AddressTaken as taken:
            raise CodedRefusal(refusal, str(taken)) from None
        except NotFound as gone:  # it deregistered at this very moment
            raise CodedRefusal(Code.REFUSED, str(gone)) from None

    async def _check_password(self, known: Registration | None, password: str, source: str, refusal: Code) -> None:
        self._spend(self._wrong, source, refusal)
        try:
            right = await self._passwords.verify(known.password_hash if known else None, password)
        except Overloaded as overloaded:
            self._wrong.give_back(network_of(source))
            raise CodedRefusal(refusal, str(overloaded)) from None
        if not right or known is None:
            raise CodedRefusal(refusal, "unknown device or wrong password")
        self._wrong.give_back(network_of(source))

    def _spend(self, throttle: Throttle, source: str, refusal: Code) -> None:
        try:
            throttle.spend(network_of(source))
        except TooManyTries as tries:
            raise CodedRefusal(refusal, str(tries)) from None


def names_for(device_id: str) -> Iterator[str]:
    """Names for the device that calls itself ``device_id``: DNS labels, the nearest first, without an end."""
    label = re.sub(r"[^a-z0-9]+", "-", device_id.lower())[:50].strip("-") or "device"
    yield label
    for number in range(2, 10):
        yield f"{label}-{number}"
    while True:  # somebody made many up: counting on would take ever longer
        yield f"{label}-{token_hex(4)}"


def _refusal(taken: MacTaken | AddressTaken) -> CodedRefusal:
    return CodedRefusal(Code.MAC_TAKEN if isinstance(taken, MacTaken) else Code.ADDRESS_TAKEN, str(taken))
