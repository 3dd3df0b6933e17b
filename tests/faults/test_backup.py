"""A backup while readings stream in, a new directory, restoring it, and the same devices: all of them real
processes."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twisted.trial.unittest import TestCase

from iotcenter.gateway.host_key import FILE as HOST_KEY
from tests.daemons import ServerProcess
from tests.faults.fleet import Fleet
from tests.processes import Program

PASSPHRASE = b"correct horse\n"


class BackupTests(TestCase):
    """The machine of the server is lost, and another takes its place."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Start all."""
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.folder = Path(mkdtemp(prefix="iotcenter-backup-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.fleet = Fleet(reactor, self.folder, 2)
        self.addCleanup(self.fleet.stop)
        await self.fleet.start()

    async def test_moves(self) -> None:
        """What was acknowledged before the backup is there, and what the devices still hold comes in: nothing twice.
        The devices are not touched, and take commands as before."""
        await self.command("say", word="before")
        promised = self.promised()
        await self.run_line("backup", str(self.folder / "backup"))
        await self.command("say", word="after")  # a number of which the backup knows nothing
        await self.fleet.received_more_than(await self.fleet.counts())
        await self.fleet.kill_server()
        gone = {name: keys - promised[name] for name, keys in self.promised().items()}
        self.assertTrue(all(gone.values()))
        await self.replace_server()
        self.assertEqual(await self.command("say", word="again"), "again")
        await self.fleet.drain()
        needed = {
            member.name: set(member.journal.numbers()) - {sequence for _, sequence in gone[member.name]}
            for member in self.fleet.members
        }
        found = await self.fleet.holds(needed)
        self.assertEqual(self.fleet.faults(found, needed), [])
        for device in (await self.fleet.server.devices()).values():
            self.assertEqual((device["account"]["lost"], device["account"]["refused"]), (0, 0))

    def promised(self) -> dict[str, set[tuple[int, int]]]:
        """What was acknowledged so far. A device's only boot numbers its readings as they are."""
        return {member.name: set(member.journal.promised()) for member in self.fleet.members}

    async def command(self, name: str, **arguments: str) -> Any:
        """What a device answers to a command."""
        order = {"name": name, "args": arguments, "timeout": 30.0}
        answer = await self.fleet.server.ask(f"devices/{self.fleet.members[0].name}/commands", order)
        self.assertEqual(answer["state"], "done", answer)
        return answer["result"]

    async def run_line(self, *words: str) -> None:
        """Run ``iotcenter`` on the server's directory."""
        line = [sys.executable, "-m", "iotcenter.cli", "--data", str(self.fleet.server.directory), *words]
        program = Program(self.reactor, [*line, "--passphrase-stdin", "--json"])
        program.write(PASSPHRASE)
        self.assertEqual(await program.outcome(), 0, program.said)
        self.assertEqual(json.loads(program.output)["devices"], 2)

    async def replace_server(self) -> None:
        """Another machine, at the address of the one that is lost. SSH clients know it as the same."""
        lost = self.fleet.server
        key = (lost.directory / HOST_KEY).read_bytes()
        shutil.rmtree(lost.directory)
        self.fleet.server = ServerProcess(self.reactor, self.folder / "new", f"--tls=127.0.0.1:{lost.tls}")
        await self.run_line("restore", str(self.folder / "backup"))
        self.assertEqual((self.folder / "backup").stat().st_mode & 0o777, 0o600)
        await self.fleet.server.start()
        self.assertEqual((self.folder / "new" / HOST_KEY).read_bytes(), key)
        await self.fleet.online()
