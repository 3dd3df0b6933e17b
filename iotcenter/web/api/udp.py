"""What is particular to devices over UDP: their keys, and version 1."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta
from twisted.web.server import Request

from iotcenter.model import Device, DeviceName, Noun, Role
from iotcenter.web.api.taken import Taken
from iotcenter.web.guard import api
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal


class UdpKey(Noun, frozen=True, omit_defaults=False):
    """A device's key for UDP in hexadecimal digits, this once."""

    name: DeviceName
    id: str
    key: str


class MasterKey(Taken, frozen=True):
    """The key from which all devices of an IotCenter 1 have theirs, in hexadecimal digits."""

    key: Annotated[str, Meta(pattern=r"^([0-9A-Fa-f]{2}){16,64}$(?!\n)")]


class UdpHandlers:
    """Gives out keys, and decides on version 1."""

    def __init__(self, parts: Parts) -> None:
        self._devices = parts.center.devices
        self._accounts = parts.accounts

    @api("/devices/<name>/udp-key", role=Role.ADMIN, method="POST", failures=(404,))
    async def new_key(self, request: Request, principal: Principal, name: str) -> UdpKey:
        """Give a device a new key for UDP, told this once. The old one stops to work; one that was revoked is let in
        again."""
        id = self._devices.named(name).id
        key = await self._accounts.renew_udp(id, principal.actor)
        return UdpKey(name, id, key.hex())

    @api("/devices/<name>/reset-counter", role=Role.ADMIN, method="POST", failures=(404,))
    async def reset_counter(self, request: Request, principal: Principal, name: str) -> Device:
        """Take a device's next packet of version 1 whatever its counter: it has forgotten where it was."""
        await self._accounts.udp.reset_counter(self._devices.named(name).id)
        return self._devices.get(name)

    @api("/devices/<name>/allow-v1", role=Role.ADMIN, method="POST", failures=(404,))
    async def allow_version1(self, request: Request, principal: Principal, name: str) -> Device:
        """Take packets of version 1 from a device that has used version 2, until it does so again."""
        await self._accounts.udp.allow_version1(self._devices.named(name).id, True)
        return self._devices.get(name)

    @api("/udp/master-key", role=Role.ADMIN, method="POST", status=204)
    async def set_master_key(self, request: Request, principal: Principal, body: MasterKey) -> None:
        """Let all devices of an IotCenter 1 in, whose keys come of this one. Each is named after its id."""
        await self._accounts.udp.set_master(bytes.fromhex(body.key))

    @api("/udp/master-key", role=Role.ADMIN, method="DELETE", status=204)
    async def remove_master_key(self, request: Request, principal: Principal) -> None:
        """Take no more devices in by the master key; those that are known stay."""
        await self._accounts.udp.set_master(None)
