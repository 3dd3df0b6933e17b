"""What one reading a second costs a device's SD card: bytes written and syncs an hour, with a server and without one.

The agent runs below strace, which counts its syncs; the kernel counts the bytes.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from shutil import which
from typing import Any

from _support import cpu_seconds, run_in_folder, show
from twisted.internet.task import deferLater

from tests.daemons import AgentProcess, ServerProcess
from tests.processes import until

APP = """
import itertools
from iotdevice import App
app = App()
count = itertools.count()
@app.sensor(every=1)
def number() -> int:
    return next(count)
"""

STRACE = ("strace", "--follow-forks", "--quiet=all", "--trace=fsync,fdatasync,sync_file_range,msync,syncfs")

SETTLE = 5.0
"""Seconds after which what a change brings about is over."""


class Bench:
    """One run."""

    def __init__(self, reactor: Any, folder: Path, options: argparse.Namespace) -> None:
        self._reactor = reactor
        self._options = options
        self._folder = folder
        self._log = folder / "strace.log"
        self._server = ServerProcess(reactor, folder / "server")
        app = folder / "app.py"
        app.write_text(APP)
        self._agent = AgentProcess(reactor, folder / "agent", app, within=(*STRACE, f"--output={self._log}"))
        self._rows: list[tuple[str, str, str]] = []

    async def run(self) -> None:
        """Measure with a server and without, and print it."""
        try:
            await self._server.start()
            await self._server.enroll("device", self._folder / "agent")
            (self._folder / "agent/iotdevice.toml").open("a").write(f"[spool]\nsync = {self._options.sync}\n")
            self._agent.start()
            await until(self._reactor, self._reports, "the agent reports nothing")
            await self._measure("online")
            await self._server.kill()
            await self._measure("offline")
        finally:
            await self._agent.kill()
            await self._server.kill()
        show(self._rows)

    async def _reports(self) -> bool:
        return bool((await self._server.devices())["device"]["account"]["received"])

    async def _measure(self, state: str) -> None:
        await deferLater(self._reactor, SETTLE)
        before = self._counts()
        await deferLater(self._reactor, self._options.seconds)
        syncs, written, cpu = (now - then for now, then in zip(self._counts(), before, strict=True))
        hours = self._options.seconds / 3600
        goal = "at most 3600, one a second" if state == "online" else ""
        self._rows += [
            (f"{state}: syncs an hour", f"{syncs / hours:.0f}", goal),
            (f"{state}: written an hour", f"{written / hours / 1_000_000:.2f} MB", ""),
            (f"{state}: processor time, strace's part in it", f"{cpu / hours:.1f} s an hour", ""),
        ]

    def _counts(self) -> tuple[float, float, float]:
        pid = _child(self._agent.program.pid)
        written = re.search(r"^write_bytes: (\d+)", Path(f"/proc/{pid}/io").read_text("ascii"), re.MULTILINE)
        assert written is not None
        return len(self._log.read_text().splitlines()), float(written[1]), cpu_seconds(pid)


def _child(pid: int) -> int:
    """The process that ``pid`` has begun."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()[0])


def main() -> None:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120.0, help="how long to measure each (120)")
    parser.add_argument("--sync", default="1.0", help="[spool] sync (1.0)")
    options = parser.parse_args()
    if which(STRACE[0]) is None:
        print("strace is missing: apt-get install strace")
        return
    run_in_folder(lambda reactor, folder: Bench(reactor, folder, options))


if __name__ == "__main__":
    main()
