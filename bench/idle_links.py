"""What a server takes of memory and processor time: with one device, after sign-ins, and with many idle links; and how
long it takes until all devices are back when it was killed and started again.

The server, and the devices of the idle links, run in processes of their own; this one plays the browser.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from _population import SPREAD, all_in, enroll, play
from _support import cpu_seconds, load, more_files, run_in_folder, show, verdict
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.task import deferLater

from tests.daemons import AgentProcess, ServerProcess
from tests.processes import ROOT, Program, resident, until
from tests.web.wire import Wire

MEGABYTES_WITH_ONE = 80
KILOBYTES_PER_LINK = 50
"""The goals."""

BACK_WITHIN = 60
"""The goal for as many as there are, in seconds from when the server serves again."""

PASSWORD = "correct horse battery"


class Bench:
    """One run."""

    def __init__(self, reactor: Any, folder: Path, options: argparse.Namespace) -> None:
        self._reactor = reactor
        self._folder = folder
        self._options = options
        self._server = ServerProcess(reactor, folder / "server")
        self._agent = AgentProcess(reactor, folder / "agent", ROOT / "device/app.py")
        self._rows: list[tuple[str, str, str]] = []

    async def run(self) -> None:
        """Measure all, and print it."""
        try:
            took = await self._server.start()
            self._rows.append(("server: seconds from start to serving", f"{took:.2f} s", ""))
            self._note_memory("server: memory at start")
            await self._one_device()
            await self._sign_ins()
        finally:
            await self._agent.kill()
            await self._server.kill()
        for count in self._options.devices:
            self._server = ServerProcess(self._reactor, self._folder / f"server-{count}")
            await self._idle_links(count)
        self._rows.append(("load of the machine", load(), ""))
        show(self._rows)

    async def _idle_links(self, count: int) -> None:
        file = self._folder / f"population-{count}"
        await enroll(self._reactor, self._server.directory, count, file)
        await self._server.start()
        players = play(self._reactor, self._server.tls, file)
        try:
            await gatherResults([Deferred.fromCoroutine(one.until("ready", 120.0)) for one in players])
            await self._come(count, players)
            await self._rest(count)
            await self._come_back(count, players)
        finally:
            for player in players:
                await player.end()
            await self._server.kill()

    async def _come(self, count: int, players: list[Program]) -> None:
        before, began = self._memory(), self._reactor.seconds()
        await all_in(players, 1)
        took = self._reactor.seconds() - began
        self._rows.append((f"{count} links: until all are in, spread over {SPREAD:g} s", f"{took:.1f} s", ""))
        self._rows.append((f"{count} links: server's processor time for that", f"{self._cpu():.1f} s", ""))
        per_link = (self._memory() - before) / count / 1000
        self._rows.append((f"{count} links: memory for each", *verdict(per_link, KILOBYTES_PER_LINK, "KB")))
        self._note_memory(f"{count} links: memory in all")

    async def _rest(self, count: int) -> None:
        busy = self._cpu()
        await deferLater(self._reactor, self._options.idle)
        share = (self._cpu() - busy) / self._options.idle * 100
        what = f"{count} links: processor time over {self._options.idle:g} s of idling"
        self._rows.append((what, f"{share:.1f} % of a core", ""))

    async def _come_back(self, count: int, players: list[Program]) -> None:
        await self._server.kill()
        serving, began = await self._server.start(), self._reactor.seconds()
        await all_in(players, 2)
        took = self._reactor.seconds() - began
        self._rows.append((f"{count} links: kill -9, until the server serves", f"{serving:.1f} s", ""))
        self._rows.append((f"{count} links: from then until all are back", *verdict(took, BACK_WITHIN, "s")))
        self._rows.append((f"{count} links: server's processor time for that", f"{self._cpu():.1f} s", ""))

    async def _one_device(self) -> None:
        await self._server.enroll("this-machine", self._folder / "agent")
        self._agent.start()

        async def reports() -> bool:
            return bool((await self._server.devices())["this-machine"]["account"]["received"] > 10)

        await until(self._reactor, reports, "the agent reports nothing")
        self._note_memory("server: memory with one device", MEGABYTES_WITH_ONE)

    async def _sign_ins(self) -> None:
        await self._server.ask("users", {"name": "ann", "role": "admin", "password": PASSWORD})
        for _ in range(self._options.sign_ins):
            await self._sign_in()
        self._note_memory(f"server: memory after {self._options.sign_ins} sign-ins", MEGABYTES_WITH_ONE)

    async def _sign_in(self) -> None:
        """As a browser does: the form, and then the page behind it."""
        form = urlencode({"name": "ann", "password": PASSWORD, "next": "/"}).encode()
        head = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n" % len(form)
        answer = await self._visit(b"POST /sign-in", head, form)
        assert answer.startswith(b"HTTP/1.1 303 "), answer[:200]
        cookie = answer.partition(b"Set-Cookie: ")[2].partition(b";")[0]
        page = await self._visit(b"GET /", b"Cookie: " + cookie + b"\r\n")
        assert b"this-machine" in page, page[:200]

    async def _visit(self, what: bytes, head: bytes, body: bytes = b"") -> bytes:
        endpoint = TCP4ClientEndpoint(self._reactor, "127.0.0.1", self._server.http)
        wire: Wire = await connectProtocol(endpoint, Wire())
        wire.write(what + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + head + b"\r\n" + body)
        return await wire.lost

    def _memory(self) -> int:
        return resident(self._server.program.pid)

    def _cpu(self) -> float:
        return cpu_seconds(self._server.program.pid)

    def _note_memory(self, what: str, goal: float = 0.0) -> None:
        megabytes = self._memory() / 1_000_000
        cells = verdict(megabytes, goal, "MB") if goal else (f"{megabytes:.1f} MB", "")
        self._rows.append((what, *cells))


def main() -> None:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = [1000, 5000, 10_000]
    parser.add_argument("--devices", type=int, nargs="+", default=sizes, help="how many links idle (1000 5000 10000)")
    parser.add_argument("--idle", type=float, default=30.0, help="for how many seconds (30)")
    parser.add_argument("--sign-ins", type=int, default=8, help="how many sign-ins; 10 a minute are allowed (8)")
    options = parser.parse_args()
    more_files()
    run_in_folder(lambda reactor, folder: Bench(reactor, folder, options))


if __name__ == "__main__":
    main()
