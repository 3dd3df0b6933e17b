"""A house full of devices, as a user would have them: for looking at pages, and for measuring them."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

from iotcenter.model import AppState, CommandOffer, LogLevel, Reading, Series, SshOffer, Value, VideoOffer
from iotcenter.web.parts import Parts
from tests.browser.devices import EVERYTHING, IDENTIFY, REBOOT, RELAY, SERIES, MadeUpDevice, make_device
from tests.browser.pictures import landscape

MACHINE = (
    Series("cpu_temperature", "CPU temperature", "Cel", 10.0, 1),
    Series("load", "Load", "", 10.0, 2),
    Series("memory", "Memory used", "%", 10.0, 1),
    Series("disk", "Disk used", "%", 60.0, 1),
    Series("uptime", "Uptime", "s", 60.0),
    Series("network_in", "Network in", "B", 10.0),
    Series("network_out", "Network out", "B", 10.0),
    Series("door", "Door", "", 0.0),
)

SSH = SshOffer((22, 8081), ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGq6mC9mHnOWwhqXkKpzWW2qjSo2dWdBUN0ZQkCb2T6W",))

NAMES = (
    "aquarium",
    "attic",
    "beehive",
    "boiler",
    "cellar",
    "freezer",
    "garage",
    "greenhouse",
    "letterbox",
    "pond",
    "weather-mast",
    "workshop",
)

LEVELS = {
    "temperature": (21.0, 3.0),
    "humidity": (52.0, 6.0),
    "light": (320.0, 90.0),
    "battery": (3.6, 0.3),
    "signal": (-64.0, 3.0),
}

LINES = (
    (LogLevel.INFO, "started: app.py with 8 sensors and 4 commands"),
    (LogLevel.DEBUG, "read the sensor in 12 ms"),
    (LogLevel.INFO, "connected to iot.example.org"),
    (LogLevel.WARNING, "sensor temperature: checksum did not fit, the value was dropped"),
    (LogLevel.INFO, "interval is 10 s now"),
    (LogLevel.ERROR, "sensor pressure: OSError: [Errno 121] Remote I/O error; tried again in 10 s"),
    (LogLevel.INFO, "sensor pressure works again"),
)


async def populate(parts: Parts, names: tuple[str, ...] = NAMES) -> dict[str, MadeUpDevice]:
    """The devices, with a day of history: most are online, one is late, one is offline, one's app has failed, one is
    new."""
    devices = {}
    for place, name in enumerate(names):
        device = await make_device(parts, name, f"192.168.1.{20 + place}")
        devices[name] = device
        random_numbers = random.Random(name)
        state = {"cellar": AppState.RUNNING, "garage": AppState.FAILED}.get(name, AppState.RUNNING)
        detail = "RuntimeError: no sensor on the bus" if state is AppState.FAILED else ""
        device.connect(SERIES, _commands(name), app=state, app_detail=detail)
        ends = {"cellar": 2 * 3600.0, "workshop": 190.0}.get(name, 2.0)
        await device.remember(list(_history(random_numbers, parts.reactor.seconds() - ends)))
        if name == "cellar":
            device.disconnect()
        if ends > 60:
            _set_back(parts, device, ends)
    await _add_machine(parts, devices)
    await make_device(parts, "shed")
    return devices


async def photograph(devices: dict[str, MadeUpDevice]) -> None:
    """A camera's photos of a day, a picture of another device, and a file that is no picture."""
    machine = devices["kitchen-pi"]
    now = machine.now()
    for place in range(12):
        await machine.upload(landscape(6 + place), f"garden-{6 + place:02d}00.png", time=now - (11 - place) * 3600)
    for name in ("attic", "garage"):
        devices[name].log(LogLevel.INFO, f"started: {name} with 5 sensors", now - 2000)
        devices[name].log(LogLevel.WARNING, "sensor humidity: no answer, tried again", now - 1500)
    await machine.upload(b"all is well\n" * 400, "report.txt", "text/plain", now - 60)
    await devices["attic"].upload(landscape(17, 90, 120), "attic.png", time=now - 400)


async def command(parts: Parts, devices: dict[str, MadeUpDevice]) -> None:
    """Some commands, with all that may become of them."""
    send, machine = parts.center.commands.send, devices["kitchen-pi"]
    machine.answer = _answer
    await send("kitchen-pi", "identify", {"seconds": 5}, "anna", timeout=5)
    await send("kitchen-pi", "relay", {"channel": "pump", "on": True}, "ben", timeout=5)
    await send("kitchen-pi", "relay", {"channel": "fan", "on": False, "duration": 60}, "token garden", timeout=5)
    machine.silent = True
    await send("kitchen-pi", "reboot", {}, "anna")
    await send("cellar", "relay", {"channel": "light", "on": True}, "anna", lifetime=86400)


def keep_reporting(devices: dict[str, MadeUpDevice]) -> None:
    """Each device that is well measures once more."""
    for name, device in devices.items():
        if name in ("cellar", "workshop"):
            continue
        known = {**LEVELS} if name != "kitchen-pi" else {"cpu_temperature": (48.0, 2.0), "load": (0.5, 0.1)}
        device.report({series: round(random.gauss(middle, swing / 9), 2) for series, (middle, swing) in known.items()})


def _answer(name: str, args: dict[str, object]) -> object:
    if args.get("channel") == "pump":
        raise RuntimeError("the pump does not answer: check its fuse")
    return {"switched": args["channel"], "volts": 12.1} if name == "relay" else f"blinked for {args['seconds']} s"


async def _add_machine(parts: Parts, devices: dict[str, MadeUpDevice]) -> None:
    """The server's own machine, as its agent reports it, with a log."""
    machine = devices["kitchen-pi"] = await make_device(parts, "kitchen-pi", "192.168.1.34")
    commands, agent = (IDENTIFY, RELAY, EVERYTHING, REBOOT), "iotdevice/1.0 Linux 6.1 aarch64"
    machine.connect(MACHINE, commands, agent=agent, ssh=SSH, video=VideoOffer(8081))
    now = parts.reactor.seconds()
    values: dict[str, Value] = {"load": 0.42, "memory": 37.4, "disk": 61.2, "uptime": 5.3 * 86400, "door": "open"}
    await machine.remember([Reading(name, value, now - 1) for name, value in values.items()])
    waves = {"cpu_temperature": (48.0, 6.0), "network_in": (48e6, 3e6), "network_out": (3.2e6, 1e5)}
    await machine.remember(list(_walks(random.Random("pi"), waves, now - 1)))
    known = parts.center.devices.find(machine.id)
    assert known is not None
    known.created = now - 40 * 86400
    for hours, change in ((22, known.attendance.came), (11.2, known.attendance.went), (8.8, known.attendance.came)):
        change(now - hours * 3600)
    for place, (level, text) in enumerate(LINES):
        machine.log(level, text, now - 4000 + 400 * place)


def _commands(name: str) -> tuple[CommandOffer, ...]:
    return (IDENTIFY, RELAY, REBOOT) if name != "pond" else ()


def _set_back(parts: Parts, device: MadeUpDevice, seconds: float) -> None:
    """It was last heard so long ago."""
    known = parts.center.devices.find(device.id)
    assert known is not None
    known.last_seen = known.last_report = parts.reactor.seconds() - seconds
    if known.linked:
        known.connected_since = known.last_seen


def _history(numbers: random.Random, end: float) -> Iterator[Reading]:
    yield from _walks(numbers, LEVELS, end)


def _walks(numbers: random.Random, levels: dict[str, tuple[float, float]], end: float) -> Iterator[Reading]:
    """A day of each series: waves with noise, and in the last hour straight back to the middle, by which some rise and
    some fall."""
    for name, (middle, swing) in levels.items():
        phase, noise, off = numbers.uniform(0, 6.3), 0.0, 0.0
        for step in range(144, 5, -1):
            noise = 0.8 * noise + numbers.gauss(0, swing / 6)
            off = math.sin(phase + step / 144 * 6.3) * swing + noise
            yield Reading(name, round(middle + off, 3), end - step * 600)
        for minute in range(59, -1, -1):
            value = middle + off * minute / 60 + numbers.gauss(0, swing / 30)
            yield Reading(name, round(value, 3), end - minute * 60)
