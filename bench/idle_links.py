"""What a server takes of memory and processor time: with one device, after sign-ins, and with many idle links.

The server runs in a process of its own; this one plays the devices and the browser.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from resource import RLIMIT_NOFILE, getrlimit, setrlimit
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

from _support import cpu_seconds, run, show, verdict
from OpenSSL import SSL
from twisted.internet.defer import Deferred, DeferredSemaphore, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.task import deferLater

from iotcenter.wire.messages import Hello, Ping, Pong
from tests.daemons import AgentProcess, ServerProcess
from tests.faults.links import enroll_in_memory, join
from tests.processes import ROOT, resident, until
from tests.transports.support import Client
from tests.web.wire import Wire

MEGABYTES_WITH_ONE = 80
KILOBYTES_PER_LINK = 50
"""The goals."""

AT_ONCE = 20
"""How many devices enroll or connect at the same time: a storm is another benchmark."""

PASSWORD = "correct horse battery"


class IdleDevice(Client):
    """A device that says nothing, but that it is there."""

    def dataReceived(self, data: bytes) -> None:
        """Answer pings, and keep nothing."""
        super().dataReceived(data)
        for message in self.received:
            if isinstance(message, Ping):
                self.send(Pong())
        self.received.clear()


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
            await self._idle_links()
        finally:
            await self._agent.kill()
            await self._server.kill()
        show(self._rows)

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

    async def _idle_links(self) -> None:
        count = self._options.devices
        contexts = await self._all(lambda number: enroll_in_memory(self._reactor, self._server, f"idle-{number}"))
        before, busy = self._memory(), self._cpu()
        self._note_memory(f"server: memory with {count} devices enrolled")
        await self._all(lambda number: self._join(contexts[number]))
        self._rows.append((f"processor time for {count} handshakes", f"{self._cpu() - busy:.1f} s", ""))
        busy = self._cpu()
        await deferLater(self._reactor, self._options.idle)
        per_link = (self._memory() - before) / count / 1000  # before anything is asked: a long answer takes memory too
        self._note_memory(f"server: memory with {count} idle links")
        self._rows.append(("memory for each idle link", *verdict(per_link, KILOBYTES_PER_LINK, "KB")))
        share = (self._cpu() - busy) / self._options.idle * 100
        self._rows.append((f"processor time over {self._options.idle:g} s of idling", f"{share:.1f} % of a core", ""))
        online = sum(device["state"] == "online" for device in (await self._server.devices()).values())
        assert online == count + 1, online

    async def _join(self, context: SSL.Context) -> Client:
        return await join(self._reactor, self._server.tls, context, Hello(boot=1), IdleDevice())

    async def _all(self, make: Any) -> list[Any]:
        """Do something for each device, some at a time; what came of it, in order."""
        some = DeferredSemaphore(AT_ONCE)
        numbers = range(self._options.devices)
        return await gatherResults([some.run(lambda number: Deferred.fromCoroutine(make(number)), n) for n in numbers])

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
    parser.add_argument("--devices", type=int, default=1000, help="how many links idle (1000)")
    parser.add_argument("--idle", type=float, default=30.0, help="for how many seconds (30)")
    parser.add_argument("--sign-ins", type=int, default=8, help="how many sign-ins; 10 a minute are allowed (8)")
    options = parser.parse_args()
    _, most = getrlimit(RLIMIT_NOFILE)
    setrlimit(RLIMIT_NOFILE, (most, most))
    with TemporaryDirectory(prefix="iotcenter-bench-") as folder:
        run(lambda reactor: Bench(reactor, Path(folder), options).run())


if __name__ == "__main__":
    main()
