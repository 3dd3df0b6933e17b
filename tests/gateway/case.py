"""A server, a device with an SSH server, and a person with a key, as processes on loopback."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol, IListeningPort
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from tests.daemons import AgentProcess, ServerProcess
from tests.faults import ECHO_APP
from tests.gateway.openssh import Home, Sshd, missing
from tests.processes import Program, until
from tests.support import need

DEVICE = "kitchen-pi"
PASSWORD = "correct horse battery"

CONFIG = """\
Host *
  BatchMode yes
  IdentitiesOnly yes
  IdentityFile {key}
  UserKnownHostsFile {known_hosts}
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
  LogLevel INFO
Host jump
  HostName {host}
  Port {port}
  User ann
Host direct
  HostName {direct}
Host {device} other-pi direct
  Port {sshd}
  User {user}
  IdentityFile {device_key}
Host {device} other-pi
  ProxyJump jump
"""


@implementer(IHalfCloseableProtocol)
class Echo(Protocol):
    """Answers when the other side has said all: with what it said."""

    def connectionMade(self) -> None:
        self.heard = b""

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def readConnectionLost(self) -> None:
        """The other side has said all."""
        transport: Any = self.transport
        transport.write(b"you said: " + self.heard)
        transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Our own doing."""


def write_config(home: Home, server: ServerProcess, sshd: Sshd, direct: str = "127.0.0.1") -> None:
    """What a person has in ``~/.ssh``: the gateway is ``jump``, the sshd itself at ``direct`` is ``direct``."""
    words = ["ssh-keygen", "-y", "-f", str(server.directory / "ssh_host_ed25519_key")]
    own = " ".join(subprocess.check_output(words, text=True).split()[:2])
    known = [f"[{server.host}]:{server.ssh} {own}"]
    known += [f"[{name}]:{sshd.port} {sshd.host_key}" for name in (DEVICE, "other-pi", direct)]
    home.known_hosts.write_text("\n".join(known) + "\n")
    text = CONFIG.format(
        key=home.key,
        known_hosts=home.known_hosts,
        host=server.host,
        port=server.ssh,
        device=DEVICE,
        direct=direct,
        sshd=sshd.port,
        user=sshd.user,
        device_key=sshd.key,
    )
    home.config.write_text(text)


class GatewayCase(TestCase):
    """``ann`` is an operator with a key; ``kitchen-pi`` lets tunnels reach its sshd and one more port."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Start it all."""
        from twisted.internet import reactor

        need(missing())
        self.reactor: Any = reactor
        self.folder = Path(mkdtemp(prefix="iotcenter-gateway-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.sshd = Sshd(reactor, self.folder / "sshd")
        self.addCleanup(self.sshd.stop)
        self.sshd.start()
        self.echo = self.listen_echo()
        self.server = ServerProcess(reactor, self.folder / "server")
        self.addCleanup(self.server.kill)
        await self.server.start()
        self.home = Home(reactor, self.folder / "home")
        await self.add_user("ann", "operator")
        await self.add_key("ann", self.home)
        self.agent = await self.start_agent(DEVICE)
        write_config(self.home, self.server, self.sshd)

    def listen_echo(self) -> int:
        """Open a port that echoes at the end of input."""
        port: IListeningPort = self.reactor.listenTCP(0, Factory.forProtocol(Echo), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return int(port.getHost().port)  # type: ignore[attr-defined]

    async def add_user(self, name: str, role: str) -> None:
        """Let somebody in."""
        await self.server.ask("users", {"name": name, "role": role, "password": PASSWORD})

    async def add_key(self, name: str, home: Home) -> str:
        """Put a person's key on file; its fingerprint."""
        return str((await self.server.ask(f"users/{name}/keys", {"key": home.public_key}))["fingerprint"])

    async def start_agent(self, name: str, settings: str = "") -> AgentProcess:
        """A device that lets tunnels reach its sshd and the echo; done when it is online."""
        directory = self.folder / name
        await self.server.enroll(name, directory)
        ports = f"[ssh]\nports = [{self.sshd.port}, {self.echo}]\nhost_keys = '{self.sshd.folder}'\n"
        with (directory / "iotdevice.toml").open("a") as file:
            file.write(settings or ports)
        agent = AgentProcess(self.reactor, directory, ECHO_APP)
        self.addCleanup(agent.kill)
        agent.start()
        await self.online(name)
        return agent

    async def online(self, name: str = DEVICE, within: float = 30.0) -> None:
        """Done when the device is there."""

        async def is_it() -> bool:
            return bool((await self.server.ask(f"devices/{name}"))["state"] == "online")

        await until(self.reactor, is_it, f"{name} is not online", within)

    def ssh(self, *words: str) -> Program:
        """Start ``ssh``; it is ended with the test."""
        program = self.home.ssh(*words)
        self.addCleanup(program.end)
        return program

    async def run_ssh(self, *words: str) -> str:
        """What ``ssh`` prints, which has to go well."""
        program = self.ssh(*words)
        self.assertEqual(await program.outcome(), 0, program.said)
        return program.output

    async def refusal(self, *words: str) -> str:
        """What ``ssh`` complains of, which must not go well."""
        program = self.ssh(*words)
        self.assertNotEqual(await program.outcome(), 0, program.said)
        return program.errors

    async def events(self, kind: str) -> list[dict[str, Any]]:
        """What was noted of one kind, newest first."""
        found: list[dict[str, Any]] = await self.server.ask(f"events/log?kind={kind}")
        return found

    def log(self) -> str:
        """What the server logged."""
        return (self.server.directory / "log/server.log").read_text()
