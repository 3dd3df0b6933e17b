"""Devices with a name and a password: how they are added, and what is to be typed on them."""

from __future__ import annotations

import shlex

from twisted.web.server import Request

from iotcenter.storage.devices import DeviceRow
from iotcenter.web.addresses import Addresses
from iotcenter.web.doors import Door
from iotcenter.web.hosts import bare
from iotcenter.web.parts import Parts

DEVICE_PORT = 5000
"""Where a device hears others, as long as its owner chooses nothing else."""

WAYS = {"registrar": "--fingerprint {fingerprint}", "registrar-tcp": "--plain tcp", "registrar-udp": "--plain udp"}
"""What a client is told of each of the registrar's ports, the best first."""


class Registering:
    """Lets devices register, and says how."""

    def __init__(self, parts: Parts) -> None:
        self._registrations = parts.registrations
        self._authority = parts.authority
        self._ports = parts.ports
        self._addresses = Addresses(parts)

    @property
    def open(self) -> bool:
        """Whether the registrar is on at all."""
        return any(name in self._ports.transports for name in WAYS)

    async def add(self, name: str, actor: str) -> DeviceRow:
        """Make a device that may register under its name. Fails with ``Unfit`` or storage's ``NameTaken``."""
        return await self._registrations.add(name, actor)

    def line(self, name: str, request: Request, door: Door, wanted: str | None = None) -> str:
        """What to type on the device ``name``; empty while the registrar is off.

        ``wanted`` is where the device finds this server, if not where who asks found it. Raises ``Unfit``.
        """
        open = [name for name in WAYS if name in self._ports.transports]
        if not open:
            return ""
        interface, port = self._ports.transports[open[0]]
        host = self._addresses.named(wanted) if wanted else bare(self._addresses.host(interface, request, door))
        way = WAYS[open[0]].format(fingerprint=self._authority.fingerprint.hex())
        return f"{shlex.join(['iotdevice', 'registrar', name, host, str(port), str(DEVICE_PORT)])} {way}"
