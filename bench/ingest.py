"""How fast readings get to the disk over TLS, and how soon that is acknowledged, beside Mosquitto with a subscriber in
Python.

What IotCenter acknowledges is on disk; it is merged into the tables later. The *backlog* is what is not merged yet, and
the rate *until all is merged* counts the time for that. Mosquitto acknowledges before anything is on disk: only what
its subscriber has committed counts, and its backlog is the rest.
"""

from __future__ import annotations

import argparse
from itertools import product
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from _disk import sync_time, written, written_by_inbox
from _load import Found
from _rival import Rival
from _sites import Devices, Site
from _support import load, run, show
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

SIZE = 5
"""Readings in a report."""

DEVICES, SIZES = (1, 10, 100), (1, 5, 50)
"""Devices, and readings in a report, of which all combinations are tried."""

FASTER, LEANER, LONGER = 8.0, 10.0, 3.0
"""How many times the rival's readings a second in the burst, per second of the processor, and sustained."""

SINGLY, SINGLY_P99 = 100_000.0, 10.0
"""Readings a second of 100 devices with one report in flight each, and milliseconds of their acknowledgements."""

BYTES_AT_MOST = 100.0
"""Bytes written for a reading before it is merged."""

ABOVE_DISK = 5.0
"""Milliseconds of an acknowledgement besides the disk's own time."""

SLOW = 10.0
"""Readings a second in all of a server that has hardly anything to do."""

GROWN = 1.0
"""Seconds of work by which a backlog may differ from another and count as the same: it is looked at between merges."""

KEPT_UP = 0.98
"""Share of a rate that counts as all of it: what is in flight at the end is left out."""

IDLERS = 10
"""Devices that it has."""

DAY = 86400.0

ALONE = 90_000.0
"""Readings a second that are taken for the rival's where it does not run: what it did once on two cores."""


class Pace(NamedTuple):
    """What the rival did: readings a second in the burst, per processor second, and until all was in its table."""

    burst: float = ALONE
    per_cpu: float = 0.0
    sustained: float = ALONE


class Bench:
    """One run; ``rows`` are what it found."""

    def __init__(self, reactor: Any, folder: Path, options: argparse.Namespace) -> None:
        self._reactor = reactor
        self._folder = folder
        self._options = options
        self._site = Site(reactor, folder / "plain")
        self._merged = 0
        self._boot = 0
        self.rows: list[tuple[str, str, str]] = []

    async def run(self) -> None:
        """Measure all of it."""
        await self._site.start(100)
        try:
            pace = Pace()
            if not self._options.alone:
                await self._rival("Mosquitto, a commit for each message", 0.0)
                pace = await self._rival("Mosquitto, a commit every 100 ms", 0.1)
            await self._burst(pace)
            await self._singly()
            if self._options.each:
                await self._all_shapes()
            if self._options.sustained:
                await self._sustained(LONGER * pace.sustained)
        finally:
            await self._site.server.kill()
        if self._options.idle:
            await self._hardly_anything()
        self._add("load of the machine", load())

    async def _rival(self, what: str, every: float) -> Pace:
        rival = Rival(self._reactor, self._site.certificates, every)
        try:
            await rival.start()
            devices = self._devices(port=rival.port, mqtt=True, pids=rival.pids)
            await devices.over()
            stored, over = await rival.stored(), self._reactor.seconds()
            found = await devices.found()
            sent = found.acknowledged * SIZE
            while every and await rival.stored() < sent:  # one commit for each would take minutes more
                await deferLater(self._reactor, 0.2)
            took = found.seconds + self._reactor.seconds() - over if every else inf
        finally:
            await rival.stop()
        self._rates(what, stored, found)
        self._backlog(sent - stored, sent / took)
        return Pace(stored / found.seconds, stored / found.cpu, sent / took)

    async def _burst(self, pace: Pace) -> None:
        inbox, disk = written_by_inbox(self._site.pid), written(self._site.pid)
        devices = self._devices()
        await devices.over()
        merged = await self._site.merged()
        found = await devices.found()
        inbox = written_by_inbox(self._site.pid) - inbox
        readings = found.acknowledged * SIZE
        self._rates("IotCenter", readings, found, FASTER * pace.burst, LEANER * pace.per_cpu)
        settling = await self._site.all_merged(readings)
        self._backlog(readings - merged, readings / (found.seconds + settling))
        self._add("  written before the merge", *_most(inbox / readings, BYTES_AT_MOST, "bytes a reading"))
        self._add("  written in all", f"{(written(self._site.pid) - disk) / readings:.0f} bytes a reading")
        self._merged += readings

    async def _singly(self) -> None:
        devices = self._devices(devices=100, window=1)
        await devices.over()
        found = await devices.found()
        readings = found.acknowledged * SIZE
        self._rates("IotCenter, 100 devices, 1 report in flight", readings, found, SINGLY, 0.0, SINGLY_P99)
        self._merged += readings
        await self._site.all_merged(self._merged)

    async def _all_shapes(self) -> None:
        """Few devices and many, short reports and long ones."""
        for number, size in product(DEVICES, SIZES):
            found = await self._devices(self._options.each, devices=number, size=size).found()
            readings = found.acknowledged * size
            what = f"IotCenter, {number} x 32 reports of {size}"
            rate = f"{readings / found.seconds:,.0f} readings/s, {readings / found.cpu:,.0f} per processor second"
            self._add(what, f"{rate}; p50 {found.p50:.1f} ms, p99 {found.p99:.1f} ms")
            self._merged += readings
            await self._site.all_merged(self._merged)

    async def _sustained(self, rate: float) -> None:
        """Readings come at ``rate``; the backlog is looked at in the middle and in the end. Of merging the second half
        counts: the first one begins as a burst does, which is merged later."""
        seconds = self._options.sustained
        devices = self._devices(seconds, rate=rate / SIZE)
        await deferLater(self._reactor, seconds / 2)
        before = await self._site.merged() - self._merged
        half = devices.acknowledged * SIZE - before
        await devices.over()
        merged = await self._site.merged() - self._merged
        found = await devices.found()
        backlog = found.acknowledged * SIZE - merged
        what = f"IotCenter, {seconds:g} s at {rate:,.0f} readings/s"
        self._add(what, *_least(found.acknowledged * SIZE / found.seconds, KEPT_UP * rate, "readings/s"))
        late = (merged - before) / (found.seconds - seconds / 2)
        self._add("  merged in the second half", *_least(late, KEPT_UP * rate, "readings/s"))
        grew = ": MISSED" if backlog > half + GROWN * rate else ""
        self._add("  backlog half-way, in the end", f"{half:,}, {backlog:,} readings", f"does not grow{grew}")
        self._add("  reports turned away", f"{found.refused:,}")
        self._add("  acknowledged after, p50, p99", f"{found.p50:.1f} ms, {found.p99:.1f} ms")

    async def _hardly_anything(self) -> None:
        """Two servers side by side, of which one gathers what it brings to disk."""
        settings = {"": "", ", commit_every = 10": "[storage]\ncommit_every = 10\n"}
        sites = {what: Site(self._reactor, self._folder / f"idle{len(text)}", text) for what, text in settings.items()}
        try:
            for site in sites.values():
                await site.start(IDLERS)
            sync = sync_time(self._folder)
            await gatherResults([Deferred.fromCoroutine(self._idle(*each, sync)) for each in sites.items()])
        finally:
            for site in sites.values():
                await site.server.kill()

    async def _idle(self, what: str, site: Site, sync: float) -> None:
        seconds, before = self._options.idle, written(site.pid)
        devices = site.devices(seconds=seconds, devices=IDLERS, size=1, rate=SLOW, boot=1)
        found = await devices.found()
        daily = (written(site.pid) - before) / seconds * DAY / 1e6
        self._add(f"IotCenter, {SLOW:g} readings/s in all{what}", f"{daily:,.0f} MB written a day")
        self._add("  acknowledged after, p50; a sync takes the disk", f"{found.p50:.2f} ms; {sync:.2f} ms")
        self._add("  acknowledged after, p99", *_most(found.p99, inf if what else sync + ABOVE_DISK, "ms"))

    def _devices(self, seconds: float = 0.0, **order: Any) -> Devices:
        self._boot += 1
        seconds = seconds or self._options.seconds
        return self._site.devices(**{"seconds": seconds, "size": SIZE, "boot": self._boot, **order})

    def _rates(
        self, what: str, readings: int, found: Found, rate: float = 0.0, per_cpu: float = 0.0, late: float = inf
    ) -> None:
        """What a burst gave, and the goals for it."""
        self._add(what, *_least(readings / found.seconds, rate, "readings/s"))
        self._add("  per processor second of the servers", *_least(readings / found.cpu, per_cpu, "readings"))
        self._add("  processor of the servers, of the devices", f"{found.cpu:.1f} s, {found.own:.1f} s")
        self._add("  acknowledged after, p50", f"{found.p50:.2f} ms")
        self._add("  acknowledged after, p99", *_most(found.p99, late, "ms"))

    def _backlog(self, backlog: int, rate: float) -> None:
        self._add("  backlog in the end", f"{backlog:,} readings")
        if rate:
            self._add("  rate until all is merged", f"{rate:,.0f} readings/s")

    def _add(self, what: str, found: str, goal: str = "") -> None:
        self.rows.append((what, found, goal))


def _least(found: float, goal: float, unit: str) -> tuple[str, str]:
    """Two cells: what was found, and the goal with whether it was met; 0 where there is none."""
    missed = "" if found >= goal else ": MISSED"
    return f"{found:,.0f} {unit}", f"at least {goal:,.0f}{missed}" if goal else ""


def _most(found: float, goal: float, unit: str) -> tuple[str, str]:
    """As ``_least``, where less is better; infinite where there is no goal."""
    missed = "" if found <= goal else ": MISSED"
    return f"{found:.2f} {unit}", f"at most {goal:.4g}{missed}" if goal < inf else ""


def main() -> None:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each burst takes (10)")
    parser.add_argument("--each", type=float, default=2.0, help="seconds of other shapes of load (2; 0: none)")
    parser.add_argument("--sustained", type=float, default=60.0, help="seconds at a rate to be kept up (60; 0: none)")
    parser.add_argument("--idle", type=float, default=60.0, help="seconds with hardly anything to do (60; 0: none)")
    parser.add_argument("--alone", action="store_true", help="without Mosquitto")
    options = parser.parse_args()

    async def bench(reactor: Any) -> None:
        with TemporaryDirectory(prefix="iotcenter-bench-") as folder:
            one = Bench(reactor, Path(folder), options)
            try:
                await one.run()
            finally:
                show(one.rows)

    run(bench)


if __name__ == "__main__":
    main()
