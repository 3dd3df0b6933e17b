"""What OpenSSH is told of the gateway and the devices behind it: ``ssh_config`` and ``known_hosts``."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent

from iotcenter.model import Device

DEFAULT_PORT = 22

GATEWAY = "iotcenter.gateway"
"""What the gateway is called in the configuration: no device can have that name."""


@dataclass(frozen=True)
class Jump:
    """The gateway as a user reaches it. ``user`` is the name that they sign in by, ``key`` its public host key."""

    user: str
    host: str
    port: int
    key: str

    @property
    def place(self) -> str:
        """What stands behind ``ssh -J``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.user}@{host}:{self.port}"


def ssh_config(jump: Jump, devices: list[Device], known_hosts: str) -> str:
    """Host entries for the gateway and for the devices, which know the servers in the file ``known_hosts``."""
    entries = [
        f"""\
        Host {GATEWAY}
          HostName {jump.host}
          Port {jump.port}
          User {jump.user}
          UserKnownHostsFile {known_hosts}
        """
    ]
    for device in devices:
        port = device.ssh.ports[0]
        named = [f"Host {device.name}", f"  ProxyJump {GATEWAY}", f"  HostKeyAlias {device.name}"]
        named += [f"  Port {port}"] if port != DEFAULT_PORT else []
        # Where the device did not say by which keys it is known, ssh asks once, as it does for any server.
        named += [f"  UserKnownHostsFile {known_hosts}"] if device.ssh.host_keys else []
        entries.append("\n".join(named) + "\n")
    return "\n".join(dedent(entry) for entry in entries)


def known_hosts(jump: Jump, devices: list[Device]) -> str:
    """A line for each key of the gateway and of the devices."""
    place = jump.host if jump.port == DEFAULT_PORT else f"[{jump.host}]:{jump.port}"
    lines = [f"{place} {jump.key}"]
    lines += [f"{device.name} {key}" for device in devices for key in device.ssh.host_keys]
    return "\n".join(lines) + "\n"


def reachable(devices: tuple[Device, ...]) -> list[Device]:
    """Those devices that take tunnels."""
    return [device for device in devices if device.ssh.ports and not device.revoked]
