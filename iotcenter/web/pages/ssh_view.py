"""What the page of a device shows of SSH to it: the commands to copy, and ports that lead to it for a while."""

from __future__ import annotations

from dataclasses import dataclass

from iotcenter.identity.ssh_keys import fingerprint_of_line
from iotcenter.model import Device, OpenPort
from iotcenter.texts import N_, _
from iotcenter.web.errors import HTTPProblem
from iotcenter.web.jumping import Jumping
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Via
from iotcenter.web.ssh_config import Jump, known_hosts, ssh_config
from iotcenter.web.visit import Visit

LIFETIMES = {"600": N_("10 minutes"), "3600": N_("1 hour"), "14400": N_("4 hours"), "86400": N_("1 day")}
"""How long a port may be opened for here, by seconds."""

DEFAULT_LIFETIME = "3600"

KNOWN_HOSTS = "~/.ssh/iotcenter_known_hosts"


@dataclass(frozen=True)
class Wanted:
    """The port that somebody asked for, and why it was not opened; empty where nobody asked."""

    port: str = ""
    lifetime: str = DEFAULT_LIFETIME
    problem: str = ""


@dataclass(frozen=True)
class SshView:
    """``jump`` is the gateway, None where it is off. ``config`` and ``known_hosts`` are for the files of these names.

    ``fingerprints`` has the kind and the fingerprint of each host key that the device reported.
    """

    jump: Jump | None
    has_key: bool
    config: str
    known_hosts: str
    fingerprints: tuple[tuple[str, str], ...]
    open_ports: tuple[OpenPort, ...]
    wanted: Wanted
    known_hosts_file: str = KNOWN_HOSTS

    @property
    def lifetimes(self) -> dict[str, str]:
        """What there is to choose from."""
        return LIFETIMES

    @property
    def shape(self) -> str:
        """Changes when more of this does than the ports that are open."""
        return f"{self.known_hosts}{self.config}{self.has_key}"


class SshViews:
    """Makes them."""

    def __init__(self, parts: Parts) -> None:
        self._jumping = Jumping(parts)
        self._keys = parts.ssh_keys
        self._open_ports = parts.center.open_ports

    async def view(self, visit: Visit, device: Device, wanted: Wanted = Wanted()) -> SshView:
        """What whoever visits sees of ``device``."""
        jump = self._jump(visit)
        one = [device] if device.ssh.ports else []
        return SshView(
            jump=jump,
            has_key=await self._has_key(visit),
            config=ssh_config(jump, one, KNOWN_HOSTS) if jump else "",
            known_hosts=known_hosts(jump, one) if jump else "",
            fingerprints=tuple((key.partition(" ")[0], _fingerprint(key)) for key in device.ssh.host_keys),
            open_ports=self._open_ports.all(device.name),
            wanted=wanted,
        )

    def _jump(self, visit: Visit) -> Jump | None:
        try:
            return self._jumping.jump(visit.request, visit.door, visit.principal.name)
        except HTTPProblem:
            return None

    async def _has_key(self, visit: Visit) -> bool:
        """Whether they could sign in; programs do not, and are not told to."""
        principal = visit.principal
        return principal.via is not Via.SESSION or bool(await self._keys.list(principal.name))


def _fingerprint(key: str) -> str:
    """What a key that a device reported is called; the device may report anything."""
    try:
        return fingerprint_of_line(key)
    except ValueError:
        return _("not a key")
