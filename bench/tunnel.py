"""SSH through the gateway: scp of a large file beside the same copy straight to the same sshd, on loopback and over an
emulated link; what a stalled end costs; how long readings and commands take meanwhile; and fifty sessions at once."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from _profile import Profile
from _support import cpu_seconds, load, percentile, run, show, verdict
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from tests.daemons import AgentProcess, ServerProcess
from tests.faults import ECHO_APP, network
from tests.gateway.case import DEVICE, PASSWORD, write_config
from tests.gateway.openssh import Home, Sshd
from tests.processes import ROOT, Program, resident, until

MEGABYTE = 1024 * 1024

LOOPBACK_GOAL, LINK_GOAL = 40.0, 0.8
GROWTH_GOAL, DELAY_GOAL = 20.0, 1.0
"""The goals: MB/s each way on loopback, share of the direct copy over the emulated link, MB of memory, seconds."""

RATE, DELAY = 20e6, 0.04
"""The emulated link: bits a second each way, seconds one way."""

IMPAIR = ROOT / "tests/faults/impair.py"


class Bench:
    """One server, one device with its sshd, one person; all on loopback, or the device behind a slow link."""

    def __init__(self, reactor: Any, folder: Path, road: network.Gap | None = None) -> None:
        folder.mkdir()
        self.folder = folder
        self._reactor = reactor
        self._within = (road.on_left, road.on_right) if road else ((), ())
        host, device = (network.SERVER, network.DEVICE) if road else ("127.0.0.1", "127.0.0.1")
        self._device = device
        self.sshd = Sshd(reactor, folder / "sshd", self._within[1], "0.0.0.0")
        self.server = ServerProcess(reactor, folder / "server", host=host, within=self._within[0])
        self.agent = AgentProcess(reactor, folder / "device", ECHO_APP, within=self._within[1])
        self.home = Home(reactor, folder / "home")

    async def start(self) -> None:
        """Start it all."""
        self.sshd.start()
        await self.server.start()
        await self.server.ask("users", {"name": "ann", "role": "operator", "password": PASSWORD})
        await self.server.ask("users/ann/keys", {"key": self.home.public_key})
        token = await self.server.token(DEVICE)
        cli = (sys.executable, "-c", "from iotdevice.cli import main; raise SystemExit(main())")
        enrolling = Program(self._reactor, [*self._within[1], *cli, "enroll", token, f"--data={self.agent.directory}"])
        assert await enrolling.outcome() == 0, enrolling.said
        with (self.agent.directory / "iotdevice.toml").open("a") as file:
            file.write(f"[ssh]\nports = [{self.sshd.port}]\nhost_keys = '{self.sshd.folder}'\n")
        self.agent.start()
        write_config(self.home, self.server, self.sshd, direct=self._device)

        async def online() -> bool:
            return bool((await self.server.ask(f"devices/{DEVICE}"))["state"] == "online")

        await until(self._reactor, online, "the device is not online")

    async def stop(self) -> None:
        """End it all."""
        for part in (self.agent, self.server):
            await part.kill()
        await self.sshd.stop()

    async def copy(self, source: str, target: str) -> float:
        """How many seconds scp takes."""
        began = self._reactor.seconds()
        program = self.home.run("scp", "-q", source, target, within=self._within[0])
        assert await program.outcome() == 0, program.said
        return float(self._reactor.seconds() - began)

    async def rates(self, host: str, megabytes: int) -> tuple[float, float]:
        """MB/s up to the device and down from it."""
        source, there, back = (self.folder / name for name in ("source", "there", "back"))
        with source.open("wb") as file:
            for _ in range(megabytes):
                file.write(os.urandom(MEGABYTE))
        up = await self.copy(str(source), f"{host}:{there}")
        return megabytes / up, megabytes / await self.copy(f"{host}:{there}", str(back))

    async def sessions(self, count: int) -> float:
        """Seconds until so many sessions that were started at once have answered."""
        began = self._reactor.seconds()
        programs = [self.home.ssh(DEVICE, "true", within=self._within[0]) for _ in range(count)]
        assert await gatherResults([one.outcome() for one in programs]) == [0] * count, programs[0].said
        return float(self._reactor.seconds() - began)

    async def stalled(self, words: str) -> tuple[float, float]:
        """MB by which server and agent grow while a copy stands still, which ``words`` start in a shell."""
        pids = self.server.program.pid, self.agent.program.pid
        before = [resident(pid) for pid in pids]
        program = Program(self._reactor, [*self._within[0], "bash", "-c", words])
        await deferLater(self._reactor, 8)
        [session] = await self.server.ask("tunnels")
        assert session["sent"] + session["received"] > MEGABYTE, session
        grown = [(resident(pid) - old) / MEGABYTE for pid, old in zip(pids, before, strict=True)]
        await program.end()
        return grown[0], grown[1]

    async def delays(self, copying: Deferred[Any]) -> tuple[list[float], list[float]]:
        """How long commands take until their result, and how old the newest reading gets beyond its rhythm."""
        commands, ages = [], []
        while not copying.called:
            began = self._reactor.seconds()
            order = {"name": "echo", "args": {"text": "x"}, "timeout": 30}
            sent = await self.server.ask(f"devices/{DEVICE}/commands", order)
            assert sent["state"] == "done", sent
            commands.append(self._reactor.seconds() - began)
            [series] = (await self.server.ask(f"devices/{DEVICE}"))["series"]
            ages.append(self._reactor.seconds() - series["time"])
            await deferLater(self._reactor, 0.1)
        return sorted(commands), sorted(ages)


async def profiled(reactor: Any, folder: Path, megabytes: int) -> list[tuple[str, str, str]]:
    """The rows that tell where the server's time goes while it copies up and down."""
    bench = Bench(reactor, folder)
    try:
        await bench.start()
        profile = Profile(reactor, folder)
        profile.start(bench.server.program.pid)
        await bench.rates(DEVICE, megabytes)
        return [(f"server's time: {part}", f"{share:.0%}", "") for part, share in await profile.parts()]
    finally:
        await bench.stop()


async def on_loopback(reactor: Any, folder: Path, megabytes: int) -> list[tuple[str, str, str]]:
    """The rows that tell of loopback."""
    bench, rows = Bench(reactor, folder), []
    try:
        await bench.start()
        direct = await bench.rates("direct", megabytes)
        used = [cpu_seconds(pid) for pid in (bench.server.program.pid, bench.agent.program.pid)]
        jumped = await bench.rates(DEVICE, megabytes)
        spent = [cpu_seconds(pid) for pid in (bench.server.program.pid, bench.agent.program.pid)]
        for way, straight, through in zip(("to the device", "from the device"), direct, jumped, strict=True):
            goal = f"at least {LOOPBACK_GOAL:g}{'' if through >= LOOPBACK_GOAL else ': MISSED'}"
            rows.append((f"loopback, {way}, MB/s (direct {straight:.0f})", f"{through:.1f}", goal))
        for name, old, new in zip(("server", "agent"), used, spent, strict=True):
            rows.append((f"loopback, CPU seconds per 100 MB, {name}", f"{(new - old) * 50 / megabytes:.2f}", ""))
        rows.append(("50 sessions at once", f"{await bench.sessions(50):.1f} s", ""))
        jump = f"ssh -F {bench.home.config} {DEVICE}"
        for what, words in (
            ("sent", f"head -c 400M /dev/zero | {jump} 'sleep 60'"),
            ("fetched", f"{jump} 'head -c 400M /dev/zero' | sleep 60"),
        ):
            for who, grown in zip(("server", "agent"), await bench.stalled(words), strict=True):
                rows.append((f"400 MB {what}, stalled: growth of the {who}", *verdict(grown, GROWTH_GOAL, "MB")))
    finally:
        await bench.stop()
    return rows


async def over_a_link(reactor: Any, folder: Path, megabytes: int) -> list[tuple[str, str, str]]:
    """The rows that tell of the emulated link."""
    gap = network.Gap()
    gap.build()
    bench, rows = Bench(reactor, folder, gap), []
    ends = [gap.left, network.SERVER, gap.right, network.DEVICE]
    impair = Program(reactor, [sys.executable, str(IMPAIR), *ends, f"--rate={RATE}", f"--delay={DELAY}"])
    try:
        await impair.until("ready")
        await bench.start()
        direct = await bench.rates("direct", megabytes)
        copying = Deferred.fromCoroutine(bench.rates(DEVICE, megabytes))
        commands, ages = await bench.delays(copying)
        jumped = await copying
        for way, straight, through in zip(("to the device", "from the device"), direct, jumped, strict=True):
            goal = f"at least {LINK_GOAL:.0%}{'' if through >= LINK_GOAL * straight else ': MISSED'}"
            rows.append(
                (f"20 Mbit/s, 80 ms, {way} ({through:.2f} of {straight:.2f} MB/s)", f"{through / straight:.0%}", goal)
            )
        for what, found in (("commands", commands), ("readings", ages)):
            rows.append((f"p99 of {what} meanwhile ({len(found)})", *verdict(percentile(found, 99), DELAY_GOAL, "s")))
    finally:
        await bench.stop()
        await impair.end()
        gap.remove()
    return rows


async def main(reactor: Any) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=100, help="of the file that is copied on loopback")
    parser.add_argument("--link-megabytes", type=int, default=100, help="of the file that is copied over the link")
    parser.add_argument("--profile", action="store_true", help="only tell where the server's time goes, by py-spy")
    options = parser.parse_args()
    with TemporaryDirectory(prefix="iotcenter-tunnel-") as folder:
        if options.profile:
            show(await profiled(reactor, Path(folder) / "profile", options.megabytes))
            return
        rows = await on_loopback(reactor, Path(folder) / "loopback", options.megabytes)
        reason = network.why_not()
        if reason:
            rows.append(("emulated link", reason, ""))
        else:
            rows += await over_a_link(reactor, Path(folder) / "link", options.link_megabytes)
    show([*rows, ("load of the machine", load(), "")])


if __name__ == "__main__":
    run(main)
