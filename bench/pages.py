"""The pages of a server with many devices: how soon they begin to come, how large they are, and for how long each holds
the reactor.

The server and its devices run in this process, so that a clock beside it sees how long nothing else came to its turn;
the visitor asks from a process of its own, one page after the other.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from _support import load, more_files, percentile, run_in_folder, show, verdict
from twisted.internet.task import LoopingCall, deferLater

from iotcenter.memory import settle
from iotcenter.model import CommandOffer, Role, Series, Value
from tests.browser.devices import MadeUpDevice, make_device
from tests.browser.house import House
from tests.processes import Program

SERIES = (
    Series("temperature", "Temperature", "Cel", 10.0, 1),
    Series("humidity", "Humidity", "%RH", 10.0, 0),
    Series("light", "Light", "lx", 10.0),
    Series("battery", "Battery", "V", 60.0, 2),
    Series("signal", "Signal", "dBm", 60.0, 0),
)
OFFERS = (CommandOffer("identify", "Identify"), CommandOffer("reboot", "Reboot", confirm=True))

PAGES = (
    "/",
    "/devices",
    "/devices?sort=seen&page=5",
    "/devices/device-0500",
    "/charts",
    "/display?choose=yes",
    "/more",
)

FIRST_BYTE = 100.0
"""The goal in milliseconds, from the request to the first byte of the answer."""

HELD = 50.0
"""The goal in milliseconds that one page may hold everything else."""

SIZE = 100.0
"""The goal in kB, in gzip."""

TICK = 0.001
"""Seconds between two looks at the clock."""

VISITOR = """
import http.client, sys, time
port, cookie, count, path = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
connection = http.client.HTTPConnection("127.0.0.1", port)
for _ in range(count):
    began = time.perf_counter()
    connection.request("GET", path, headers={"Cookie": "iotcenter_session=" + cookie, "Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    first = time.perf_counter() - began
    body = answer.read()
    assert answer.status == 200, answer.status
    print(first * 1000)
    time.sleep(0.05)
print(len(body) / 1000)
"""
"""Asks for a page so many times, and prints after how many milliseconds each began to come; then how many kB it has."""


class Held(NamedTuple):
    """For how many milliseconds the reactor was held at most, and for how many it computed at most meanwhile: what the
    rest was, the machine did for others."""

    waited: float
    computed: float


class Watch:
    """How long the reactor was held at most, since it was asked last. It is to be made in the reactor's thread."""

    def __init__(self, reactor: Any) -> None:
        self._last = time.perf_counter()
        self._last_computed = time.thread_time()
        self._longest = Held(0.0, 0.0)
        self._loop = LoopingCall(self._tick)
        self._loop.clock = reactor
        self._loop.start(TICK)

    def longest(self) -> Held:
        """Since this was called before."""
        found, self._longest = self._longest, Held(0.0, 0.0)
        return found

    def stop(self) -> None:
        """Look no more."""
        self._loop.stop()

    def _tick(self) -> None:
        now, computed = time.perf_counter(), time.thread_time()
        waited, worked = now - self._last - TICK, computed - self._last_computed
        self._longest = Held(max(self._longest.waited, waited * 1000), max(self._longest.computed, worked * 1000))
        self._last, self._last_computed = now, computed


class Bench:
    """One run."""

    def __init__(self, reactor: Any, folder: Path, options: argparse.Namespace) -> None:
        self._reactor = reactor
        self._options = options
        self._house = House(folder / "data", reactor)
        self._devices: list[MadeUpDevice] = []
        self._turn = 0

    async def run(self) -> None:
        """Measure, and show."""
        await self._house.begin()
        reporting, watch = LoopingCall(self._report), Watch(self._reactor)
        try:
            await self._look(reporting, watch)
        finally:
            watch.stop()
            if reporting.running:
                reporting.stop()
            await self._house.close()

    async def _look(self, reporting: LoopingCall, watch: Watch) -> None:
        cookie = str((await self._house.user("anna", Role.ADMIN))["value"])
        for number in range(self._options.devices):
            device = await make_device(self._house.parts, f"device-{number:04}", f"10.0.{number // 250}.{number % 250}")
            device.connect(SERIES, OFFERS)
            self._devices.append(device)
        reporting.start(0.1)
        await deferLater(self._reactor, 5.0)
        settle()  # as the daemon does when it has read its devices
        await deferLater(self._reactor, 1.0)
        watch.longest()
        await deferLater(self._reactor, 3.0)
        rows = [("devices, series", f"{len(self._devices)}, {len(self._devices) * len(SERIES)}", "")]
        rows += _held("reports alone", watch.longest())
        for path in PAGES:
            rows += await self._measure(path, cookie, watch)
        show([*rows, ("load of the machine", load(), "")])

    def _report(self) -> None:
        """A hundredth of the devices measure: each does so every ten seconds."""
        share = max(1, len(self._devices) // 100)
        for place in range(self._turn, self._turn + share):
            values: dict[str, Value] = {series.name: round(random.gauss(20, 3), 2) for series in SERIES}
            self._devices[place % len(self._devices)].report(values)
        self._turn += share

    async def _measure(self, path: str, cookie: str, watch: Watch) -> list[tuple[str, str, str]]:
        ports = self._house.parts.ports
        assert ports.http is not None
        words = [sys.executable, "-c", VISITOR, str(ports.http[1]), cookie, str(self._options.requests), path]
        visitor = Program(self._reactor, words)
        watch.longest()
        status = await visitor.outcome()
        held = watch.longest()
        assert status == 0, visitor.errors
        *times, size = (float(line) for line in visitor.output.split())
        firsts = sorted(times)
        return [
            (f"{path}: first byte, p50", *verdict(percentile(firsts, 50), FIRST_BYTE, "ms")),
            (f"{path}: first byte, worst", *verdict(firsts[-1], FIRST_BYTE, "ms")),
            *_held(path, held),
            (f"{path}: in gzip", *verdict(size, SIZE, "kB")),
        ]


def _held(by: str, held: Held) -> list[tuple[str, str, str]]:
    return [
        (f"{by}: reactor held, worst", *verdict(held.waited, HELD, "ms")),
        (f"{by}: of it computing, worst", *verdict(held.computed, HELD, "ms")),
    ]


def main() -> None:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=1000, help="how many, with five series each (1000)")
    parser.add_argument("--requests", type=int, default=30, help="how many for each page (30)")
    options = parser.parse_args()
    more_files()
    run_in_folder(lambda reactor, folder: Bench(reactor, folder, options))


if __name__ == "__main__":
    main()
