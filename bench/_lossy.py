"""The storm: devices over encrypted UDP on real sockets, through a network that does its worst."""

from __future__ import annotations

from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from tests.daemons import ServerProcess
from tests.faults.impaired import ImpairedWay, Impairment
from tests.udp_device import UdpDevice

WEATHER = Impairment(loss=0.2, doubled=0.05, delay=0.2, port_moves_after=7)

DEVICES, REPORTS, COMMANDS = 20, 50, 5

KEEPALIVE = 25.0
"""Seconds of silence after which a device shows that it is there, as real ones do. Every so often the network swallows
all tries of a command; it waits then until the device is heard again."""

WITHIN = 1200.0
"""Seconds in which all is over: a message that is lost comes again after two seconds, then four."""


class Storm(NamedTuple):
    """What came of it: readings that are missing or double, commands that did not take effect once, datagrams that
    devices sent for each message, and how long it took."""

    readings: int
    missing: int
    doubled: int
    not_once: int
    datagrams: float
    seconds: float


async def storm(reactor: Any, server: ServerProcess) -> Storm:
    """Have each device report, and give it commands meanwhile."""
    way = ImpairedWay(reactor, ("127.0.0.1", server.udp), WEATHER)
    port, began = way.open(), reactor.seconds()
    devices = [await _device(reactor, server, f"sailor-{number}", port) for number in range(DEVICES)]
    try:
        sailing = [_sail(reactor, server, f"sailor-{number}", device) for number, device in enumerate(devices)]
        await gatherResults([Deferred.fromCoroutine(one).addTimeout(WITHIN, reactor) for one in sailing])
        seconds = reactor.seconds() - began
        stored = [await _stored(server, f"sailor-{number}") for number in range(DEVICES)]
    finally:
        for device in devices:
            await device.close()
        await way.close()
    return Storm(
        readings=sum(map(len, stored)),
        missing=sum(len({*range(REPORTS)} - {*values}) for values in stored),
        doubled=sum(len(values) - len({*values}) for values in stored),
        not_once=sum([*device.effects.values()] != [1] * COMMANDS for device in devices),
        datagrams=sum(len(device.sent) for device in devices) / sum(len(device.answers) for device in devices),
        seconds=seconds,
    )


async def _device(reactor: Any, server: ServerProcess, name: str, port: int) -> UdpDevice:
    added = await server.ask("devices", {"name": name, "transport": "udp"})
    device = UdpDevice(reactor, ("127.0.0.1", port), added["id"], added["key"])
    device.open()
    return device


async def _sail(reactor: Any, server: ServerProcess, name: str, device: UdpDevice) -> None:
    await device.hello()
    for number in range(REPORTS):
        if number % (REPORTS // COMMANDS) == 0:
            await server.ask(f"devices/{name}/commands", {"name": "blink", "args": {}, "lifetime": WITHIN})
        await device.report(number + 1, float(number))
    while len(device.effects) < COMMANDS:
        await deferLater(reactor, KEEPALIVE)
        await device.hello()


async def _stored(server: ServerProcess, name: str) -> list[float]:
    found = await server.ask(f"readings?device={name}&series=t&from=now-2h&step=0")
    return [float(value) for value in found["v"]]
