"""What encrypted UDP costs a real server: reports that are stored and acknowledged, forgeries, strangers, handshakes.

One process pretends to be all devices, on one socket, and on other cores than the server's; the server's processor time
is read from the kernel. A report has two readings without times, as a chip without a clock sends them, and is
confirmable: it is on disk (``fdatasync``) before it is acknowledged. Each device has one on its way, and sends the next
when that is acknowledged. What counts is the time of the thread that serves and of the one that writes to disk. Merging
into the tables, which goes on beside them and afterwards, is shown apart, and so is what both come to; in the end all
readings must be in the tables.

Beside it in the same way: aiocoap, which takes the same readings by plain CoAP and with OSCORE and stores nothing;
bytes on the wire beside TLS; and devices in a network that loses, doubles, reorders and moves ports (some five
minutes).
"""

from __future__ import annotations

import argparse
import random
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from _bytes import Bytes, over_tls, over_udp
from _lossy import COMMANDS, DEVICES, REPORTS, storm
from _pretenders import Load, Pretender
from _rival_coap import posts
from _support import keep_apart, load, run, show
from twisted.internet.threads import deferToThread

from tests.daemons import ServerProcess

REPORTS_GOAL = 50_000
FORGED_GOAL = 150_000

TIMES_OSCORE = 20
"""How many times as many reports as aiocoap with OSCORE answers POSTs."""

POSTS = 4000
"""POSTs to aiocoap, of each kind."""

Row = tuple[str, str, str]


class Reports(NamedTuple):
    """How many reports a second of the processor: stored and acknowledged, and with their merging."""

    acknowledged: float
    merged: float


async def bench(reactor: Any, folder: Path, options: argparse.Namespace) -> None:
    """Start a server, make its devices, and measure."""
    server = ServerProcess(reactor, folder / "server")
    await server.start()
    try:
        devices = []
        for number in range(options.devices):
            added = await server.ask("devices", {"name": f"chip-{number}", "transport": "udp"})
            devices.append(Pretender(added["id"], added["key"]))
        print(f"load: {load()}")
        keep_apart(server.program.pid)
        rows, reports = await deferToThread(_measure, Load(server.udp, server.program.pid, devices), options)
        rows.append(await _stored(server, options))
        rows += _beside(reports, *await posts(reactor, folder, POSTS))
        rows += _bytes(await over_udp(reactor, server), await over_tls(server, folder / "tls"))
        if options.storm:
            rows += await _storm(reactor, server)
    finally:
        await server.kill()
    show(rows)


def _measure(load: Load, options: argparse.Namespace) -> tuple[list[Row], Reports]:
    rows = [_rate("handshakes", *load.measured(load.handshakes), 0)]
    per_cpu, per_second, merging = load.measured_reports(options.reports // options.devices)
    each = merging / options.reports
    reports = Reports(per_cpu, 1 / (1 / per_cpu + each))
    rows.append(_rate("reports stored and acknowledged", per_cpu, per_second, REPORTS_GOAL))
    rows.append(("merged into the tables, meanwhile and later", f"{each * 1e6:.1f} us each", ""))
    rows.append(("reports stored, acknowledged and merged", f"{reports.merged:,.0f} per CPU second", ""))
    forged, strangers = (load.measured(partial(flood, options.forged)) for flood in (load.forged, load.strangers))
    rows.append(_rate("forged records refused", *forged, FORGED_GOAL))
    rows.append(_rate("HELLOs of strangers refused", *strangers, 0))
    return rows, reports


def _rate(what: str, per_cpu: float, per_second: float, goal: int) -> Row:
    found = f"{per_cpu:,.0f} per CPU second ({1e6 / per_cpu:.1f} us each), {per_second:,.0f} a second"
    return what, found, _goal(per_cpu, goal)


async def _stored(server: ServerProcess, options: argparse.Namespace) -> Row:
    sent = options.reports // options.devices * options.devices * 2
    found = sum(device["account"]["received"] for device in (await server.devices()).values())
    return "readings in the tables", f"{found:,} of {sent:,}", f"all{'' if found == sent else ': MISSED'}"


def _beside(reports: Reports, plain: float, oscore: float) -> list[Row]:
    found = "{:,.0f} per CPU second: ours are {:.1f} times as many ({:.1f} with merging)"
    wanted = _goal(reports.acknowledged / oscore, TIMES_OSCORE, " times")
    return [
        (f"aiocoap: {what}", found.format(rate, reports.acknowledged / rate, reports.merged / rate), goal)
        for what, rate, goal in (
            ("plain POSTs answered", plain, ""),
            ("POSTs with OSCORE answered", oscore, wanted),
        )
    ]


def _bytes(udp: Bytes, tls: Bytes) -> list[Row]:
    words = ("to begin", "a reading", "an idle month")
    return [
        (f"bytes on the wire, {what}", f"{ours:,.0f} over UDP, {theirs:,.0f} over TLS ({theirs / ours:.1f} times)", "")
        for what, ours, theirs in zip(words, udp, tls, strict=True)
    ]


async def _storm(reactor: Any, server: ServerProcess) -> list[Row]:
    found = await storm(reactor, server)
    good = found.missing == found.doubled == found.not_once == 0 and found.readings == DEVICES * REPORTS
    what = f"storm: {DEVICES} devices, {REPORTS} reports and {COMMANDS} commands each"
    stored = f"{found.readings:,} readings, {found.missing} missing, {found.doubled} double"
    done = f"{found.not_once} devices did not do each command once"
    effort = f"{found.datagrams:.2f} datagrams a message, {found.seconds:.0f} s"
    return [(what, f"{stored}; {done}; {effort}", f"each once{'' if good else ': MISSED'}")]


def _goal(found: float, goal: int, unit: str = "") -> str:
    return f"at least {goal:,}{unit}{'' if found >= goal else ': MISSED'}" if goal else ""


def main() -> None:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=200, help="how many devices there are (200)")
    parser.add_argument("--reports", type=int, default=100_000, help="how many reports they send in all (100,000)")
    parser.add_argument("--forged", type=int, default=200_000, help="how many datagrams of each flood (200,000)")
    parser.add_argument("--no-storm", dest="storm", action="store_false", help="leave out the bad network")
    options = parser.parse_args()
    random.seed(1)

    async def start(reactor: Any) -> None:
        with TemporaryDirectory(prefix="iotcenter-bench-") as folder:
            await bench(reactor, Path(folder), options)

    run(start)


if __name__ == "__main__":
    main()
