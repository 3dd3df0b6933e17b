"""A Linux device that reports over UDP: its tunnels dial out by TLS all the same."""

from __future__ import annotations

from tests.daemons import AgentProcess
from tests.faults import ECHO_APP
from tests.gateway.case import DEVICE, GatewayCase
from tests.processes import until


class UdpTests(GatewayCase):
    """The device has its certificate from enrollment."""

    async def start_agent(self, name: str, settings: str = "") -> AgentProcess:
        """One that speaks UDP."""
        directory = self.folder / name
        await self.server.enroll(name, directory)
        (directory / "iotdevice.toml").write_text(
            f'server = "127.0.0.1:{self.server.udp}"\ntransport = "udp"\n'
            f'[ssh]\nports = [{self.sshd.port}, {self.echo}]\nserver = "127.0.0.1:{self.server.tls}"\n'
        )
        agent = AgentProcess(self.reactor, directory, ECHO_APP)
        self.addCleanup(agent.kill)
        agent.start()
        await self.online(name)
        return agent

    async def test_session(self) -> None:
        """``ssh -J`` leads to it, and what it refuses is said in its words."""

        async def introduced() -> bool:  # its greeting follows its first record
            device = await self.server.ask(f"devices/{DEVICE}")
            return bool(device["transport"] == "udp" and device["ssh"]["ports"])

        await until(self.reactor, introduced, "it did not say what tunnels may reach")
        self.assertEqual(await self.run_ssh(DEVICE, "echo in"), "in\n")
        await self.sshd.stop()
        self.assertIn(f"nothing answers on port {self.sshd.port}", await self.refusal(DEVICE, "true"))
