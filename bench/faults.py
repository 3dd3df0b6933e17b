"""Kills of the server, of devices and of links, round after round, while devices report: nothing may be lost.

Each round does one of them at a random moment, or in that in which the server writes, or promises something. Where it
was the server, all that was acknowledged must be on its disk. In the end the devices hand in what waits, and their
books are compared with the database, and with the account that the server shows.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter, defaultdict
from pathlib import Path
from statistics import median
from typing import Any

from _support import cpu_seconds, run_in_folder, show, verdict
from twisted.internet.defer import succeed

from tests.faults.books import Stored, spooled
from tests.faults.fleet import Fleet, Member
from tests.faults.journal import PACE
from tests.faults.relay import Relay
from tests.processes import until

SERVING_WITHIN = 3.0
"""The goal, in seconds from the start of the process."""

AGREES_WITHIN = 60.0
"""Seconds in which the account is to say what is on disk, once nothing more comes."""


class Life:
    """What a device of which the process dies must not lose: what it knows to be on its disk, or with the server."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.gone: set[int] = set()
        """Numbers that died with the process, before they were on any disk."""
        self._boots: set[int] = set()
        self._before = 0
        """The boots of former lives, and the last number that was made in them."""

    async def end(self) -> None:
        """Kill the process, and start it again."""
        await self.member.agent.kill()
        promised = [number for boot, number in self.member.journal.promised() if boot not in self._boots]
        safe = max([*spooled(self.member.directory).values(), self._before + max(promised, default=0)])
        self.gone.update(number for number in self.member.journal.numbers() if number > safe)
        self._boots = {boot for boot, _ in self.member.journal.promised()}
        self._before = max(self.member.journal.numbers(), default=0)
        self.member.agent.start()

    def needed(self) -> set[int]:
        """The numbers that the server must have in the end."""
        return set(self.member.journal.numbers()) - self.gone


class Bench:
    """One run."""

    def __init__(self, reactor: Any, folder: Path, options: argparse.Namespace) -> None:
        self._reactor = reactor
        self._options = options
        pace = {PACE: str(options.pace)}
        self._fleet = Fleet(reactor, folder, options.devices, '[spool]\nsync = "always"\n', of_devices=pace)
        self._relay = Relay(reactor, self._fleet.server.tls)
        self._fleet.door = self._relay.port
        self._random = random.Random(options.seed)
        self._done: Counter[str] = Counter()
        self._times: dict[str, list[float]] = defaultdict(list)
        self._cpu = 0.0
        self.faults: list[str] = []

    async def run(self) -> None:
        """Kill until the time is over, then count."""
        try:
            await self._fleet.start()
            self._lives = [Life(member) for member in self._fleet.members]
            end = self._reactor.seconds() + self._options.seconds
            while self._reactor.seconds() < end and not self.faults:
                await self._round()
            await self._fleet.drain()
            await self._count()
        finally:
            await self._fleet.stop()
            await self._relay.close()

    async def _round(self) -> None:
        await self._fleet.a_moment(self._random)
        await self._random.choice((self._fleet.a_promise, self._fleet.a_commit, lambda: succeed(None)))()
        await self._random.choice((self._kill_server, self._kill_devices, self._cut_links))()
        began = self._reactor.seconds()
        await self._fleet.online()
        self._times["back"].append(self._reactor.seconds() - began)

    async def _kill_server(self) -> None:
        self._cpu += cpu_seconds(self._fleet.server.program.pid)
        self.faults += self._fleet.broken_promises(await self._fleet.kill_server())
        self._times["serving"].append(await self._fleet.server.start())
        self._done["server"] += 1

    async def _kill_devices(self) -> None:
        lives = self._random.sample(self._lives, self._random.randint(1, max(1, len(self._lives) // 10)))
        for life in lives:
            await life.end()
        self._done["devices"] += len(lives)

    async def _cut_links(self) -> None:
        self._done["links"] += self._relay.cut(self._random, len(self._lives))

    async def _count(self) -> None:
        needed = {life.member.name: life.needed() for life in self._lives}
        found = await self._fleet.holds(needed)
        self.faults += self._fleet.broken_promises(found) + self._fleet.faults(found, needed)
        await until(self._reactor, self._account_agrees, "the account does not say what is on disk", AGREES_WITHIN)
        self._cpu += cpu_seconds(self._fleet.server.program.pid)
        self._show(found, needed)

    async def _account_agrees(self) -> bool:
        """Whether the API says of each device what stands on the disk, and that it lost nothing."""
        found = await self._fleet.holds({member.name: set() for member in self._fleet.members})
        devices = await self._fleet.server.devices()
        accounts = ((device["account"], found[device["id"]]) for device in devices.values())
        return all(account["received"] == len(one.readings) and not account["lost"] for account, one in accounts)

    def _show(self, found: dict[str, Stored], needed: dict[str, set[int]]) -> None:
        journals = {member.id: member.journal for member in self._fleet.members}
        stored = sum(len(one.numbers) for one in found.values())
        lost = sum(len(needed[member.name] - found[member.id].numbers) for member in self._fleet.members)
        show(
            [
                ("kills of the server", str(self._done["server"]), ""),
                ("kills of devices", str(self._done["devices"]), ""),
                ("links cut", str(self._done["links"]), ""),
                ("readings made", str(sum(len(journal.numbers()) for journal in journals.values())), ""),
                ("of which died with a device, on no disk yet", str(sum(len(one.gone) for one in self._lives)), ""),
                ("readings acknowledged", str(sum(len(journal.promised()) for journal in journals.values())), ""),
                ("readings stored", str(stored), ""),
                ("readings sent again, and recognized", str(sum(one.duplicates for one in found.values())), ""),
                ("readings lost", str(lost), "0"),
                ("readings doubled", str(sum(len(one.readings) for one in found.values()) - stored), "0"),
                ("faults in all, promises broken among them", str(len(self.faults)), "0"),
                ("devices of which the account says the same", f"{len(found)} of {len(found)}", "all"),
                ("processor time of the server", f"{self._cpu:.1f} s", ""),
                *self._row("serving", "from the start of a killed server to serving", SERVING_WITHIN),
                *self._row("back", "until all devices are back"),
            ]
        )
        print(*self.faults, sep="\n")

    def _row(self, what: str, words: str, goal: float | None = None) -> list[tuple[str, str, str]]:
        times = self._times[what]
        if not times:
            return []
        longest = verdict(max(times), goal, "s") if goal else (f"{max(times):.1f} s", "")
        return [(f"{words}, median", f"{median(times):.1f} s", ""), (f"{words}, longest", *longest)]


def main() -> int:
    """Read the command line, and run; 1 where something was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0, help="how long to go on; a round takes some 4 (600)")
    parser.add_argument("--devices", type=int, default=50, help="how many devices report, a process each (50)")
    parser.add_argument("--pace", type=float, default=10.0, help="readings of each of them a second (10)")
    parser.add_argument("--seed", type=int, default=None, help="of the moments and of what is killed")
    options = parser.parse_args()
    return 1 if run_in_folder(lambda reactor, folder: Bench(reactor, folder, options)).faults else 0


if __name__ == "__main__":
    sys.exit(main())
