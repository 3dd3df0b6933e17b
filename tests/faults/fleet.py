"""A server with devices that count, all of them real processes, of which some are killed."""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from iotcenter.storage.store import INBOX
from tests.daemons import AgentProcess, ServerProcess
from tests.faults.books import Stored, stored
from tests.faults.journal import FOLDER, Journal
from tests.processes import until

APP = Path(__file__).parent / "counting_app.py"

BACK_WITHIN = 60.0
"""Seconds in which all devices are to be back after a restart of the server, whose absence makes their pauses grow."""

DRAINED_WITHIN = 60.0
"""Seconds in which the devices hand in all that waits, once they make nothing more."""

LOOK_INTO_IT = 0.2
"""Seconds between two looks into the database: each reads all of it."""


NOTHING: Mapping[str, str] = MappingProxyType({})


class Member:
    """One device: its process, and the books that it keeps."""

    def __init__(self, reactor: Any, name: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.id = ""
        self.directory = folder / name
        self.journal = Journal(folder / f"{name}-journal")
        books = {FOLDER: str(self.journal.folder)}
        self.agent = AgentProcess(reactor, self.directory, APP, {**books, **environment})


class Fleet:
    """The server and its devices. ``settings`` are what stands in each ``iotdevice.toml``, besides the address;
    ``surroundings`` and ``of_devices`` are environment variables of the server and of the devices."""

    def __init__(
        self,
        reactor: Any,
        folder: Path,
        size: int,
        settings: str = "",
        surroundings: Mapping[str, str] = NOTHING,
        of_devices: Mapping[str, str] = NOTHING,
    ) -> None:
        self.server = ServerProcess(reactor, folder / "server", environment=surroundings)
        self.members = [Member(reactor, f"device-{number}", folder, of_devices) for number in range(1, size + 1)]
        self.door: int | None = None
        """The port by which devices find the server, where that is not its own."""
        self._reactor = reactor
        self._settings = settings

    async def start(self) -> None:
        """Start the server, enroll the devices and start them; done when all are there and report."""
        await self.server.start()
        for member in self.members:
            await self.server.enroll(member.name, member.directory, self.door)
            with (member.directory / "iotdevice.toml").open("a") as file:
                file.write(self._settings)
            member.agent.start()
        devices = await self.online()
        for member in self.members:
            member.id = devices[member.name]["id"]
        await self.received_more_than(dict.fromkeys(devices, 0))

    async def stop(self) -> None:
        """End what still runs."""
        for member in self.members:
            await member.agent.kill()
        await self.server.kill()

    async def a_moment(self, chance: random.Random) -> None:
        """Let a random time pass, in which anything may be under way."""
        await deferLater(self._reactor, chance.uniform(0.2, 1.5))

    async def a_promise(self) -> None:
        """Done in the very moment in which a device is promised something: a promise that was made too early is broken
        by a death at this moment."""
        before = self._promises()
        await until(self._reactor, lambda: self._promises() > before, "nothing is acknowledged", every=0.0)

    async def a_commit(self) -> None:
        """Done in the very moment in which the server writes to its disk: what it stores and has no time to acknowledge
        comes again."""
        before = self._written()
        await until(self._reactor, lambda: self._written() != before, "nothing is stored", every=0.0)

    def _written(self) -> int:
        """When the inbox was written last."""
        with suppress(FileNotFoundError):  # one of its files was merged and deleted just now
            return max(file.stat().st_mtime_ns for file in (self.server.directory / INBOX).iterdir())
        return 0

    def _promises(self) -> int:
        return sum(len(member.journal.promised()) for member in self.members)

    async def online(self) -> dict[str, dict[str, Any]]:
        """The devices, as soon as all of them are there."""

        async def all_there() -> dict[str, dict[str, Any]]:
            devices = await self.server.devices()
            there = [device for device in devices.values() if device["state"] == "online"]
            return devices if len(there) == len(self.members) else {}

        return await until(self._reactor, all_there, "not all devices are online", BACK_WITHIN)

    async def received_more_than(self, before: Mapping[str, int]) -> None:
        """Done when the server has more of each device than ``before``."""

        async def more() -> bool:
            counts = await self.counts()
            return all(counts[name] > count for name, count in before.items())

        await until(self._reactor, more, "a device reports nothing", BACK_WITHIN)

    async def counts(self) -> dict[str, int]:
        """How many readings of each device the server says it has."""
        devices = await self.server.devices()
        return {name: device["account"]["received"] for name, device in devices.items()}

    async def kill_server(self) -> dict[str, Stored]:
        """``kill -9``. What is on disk then, once every device has read all that the server had said."""
        before = [member.journal.losses() for member in self.members]
        await self.server.kill()
        await until(
            self._reactor,
            lambda: all(member.journal.losses() > count for member, count in zip(self.members, before, strict=True)),
            "a device did not notice that its server died",
        )
        return self._stored()

    async def drain(self) -> None:
        """Have the devices make nothing more."""
        order = {"name": "stop", "timeout": DRAINED_WITHIN, "lifetime": DRAINED_WITHIN}
        orders: list[Deferred[Any]] = [
            Deferred.fromCoroutine(self.server.ask(f"devices/{member.name}/commands", order)) for member in self.members
        ]
        for answer in await gatherResults(orders, consumeErrors=True):
            assert answer["state"] == "done", answer

    async def holds(self, needed: Mapping[str, set[int]]) -> dict[str, Stored]:
        """What is on the server's disk, as soon as it has the numbers that are ``needed`` of each device, by name."""
        found: dict[str, Stored] = {}

        def all_there() -> bool:
            found.update(self._stored())
            return all(needed[member.name] <= found[member.id].numbers for member in self.members)

        def missing() -> str:
            return str(self.faults(found, needed))

        await until(self._reactor, all_there, missing, DRAINED_WITHIN, LOOK_INTO_IT)
        return found

    def broken_promises(self, found: Mapping[str, Stored]) -> list[str]:
        """What was acknowledged to a device and is not ``found``: empty, as it should be."""
        missing = {member.name: member.journal.promised() - found[member.id].keys for member in self.members}
        return [f"{name} was promised {len(keys)} readings that are lost" for name, keys in missing.items() if keys]

    def faults(self, found: Mapping[str, Stored], needed: Mapping[str, set[int]]) -> list[str]:
        """What is wrong with what was ``found`` where so much was ``needed``: empty, as it should be."""
        return [
            f"{member.name}: {fault}"
            for member in self.members
            for fault in found[member.id].faults(set(member.journal.numbers()), needed[member.name])
        ]

    def _stored(self) -> dict[str, Stored]:
        found = stored(self.server.directory)
        return {member.id: found.get(member.id, Stored(())) for member in self.members}
