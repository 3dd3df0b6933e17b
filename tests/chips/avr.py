"""An ATmega328P in simavr: how its firmware is compiled, how large the core is in it, and how fast."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tests.chips.toolchain import HERE, SOURCES, compiled, folder, missing, output

FREQUENCY = 16_000_000

COMPILER = ("avr-gcc", "-std=gnu99", "-mmcu=atmega328p", "-Os", "-mcall-prologues", "-mstrict-X", "-Wall", "-Wextra")
ARDUINO = ("avr-gcc", "-std=gnu11", "-mmcu=atmega328p", "-Os", "-flto", "-fuse-linker-plugin", "-w")
"""What the Arduino IDE compiles with."""

SECTIONS = ("-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections")
RELAXED = (*SECTIONS, "-Wl,--relax")


CORE = (str(SOURCES / "iotcenter.c"), str(SOURCES / "iotcenter_avr.S"))

INCLUDING = ("measure.c", "avr_selftest.c")
"""What includes the source in C itself, to call its inner functions."""

USED = (
    *("start", "poll", "receive", "busy", "report", "reading", "send"),
    *("offer_series", "offer_command", "offer_argument"),
    *("is", "bool_argument", "int_argument", "done", "failed"),
)
"""The functions of a sketch that reports, and takes a command."""

ALL = (*USED, "resume", "stop", "listening", "time", "log", "float_argument", "text_argument")


def missing_parts() -> str | None:
    """Why nothing can be simulated here."""
    if not Path("/usr/include/simavr/sim_avr.h").exists():
        return "not installed: libsimavr-dev"
    return missing("avr-gcc", "avr-size", "gcc")


def simulator() -> Path:
    """The program that runs a firmware."""
    return compiled("simavr", ("gcc", "-O2", "-Wall", "-Wextra", str(HERE / "simavr.c"), "-lsimavr", "-lelf"))


def firmware(source: str, id: bytes, key: bytes) -> Path:
    """The firmware of a device with that key."""
    header = folder() / f"{id.hex()}.h"
    header.write_text(f"{_array('id', id)}{_array('key', key)}")
    identity = f'-DIDENTITY="{header}"'
    sources = [str(HERE / source), *CORE[source in INCLUDING :]]
    return compiled(f"{source}-{id.hex()}", (*COMPILER, *RELAXED, identity, f"-I{SOURCES}", *sources))


@cache
def measured() -> dict[str, int]:
    """What the core says of itself there."""
    program = firmware("measure.c", bytes(range(16)), bytes(range(32)))
    lines = output(str(simulator()), str(program)).splitlines()
    pairs = (line.split() for line in lines if not line.startswith("Loaded"))
    return {name: int(number) for name, number in pairs}


def self_test() -> str:
    """What the self-test says there."""
    program = firmware("avr_selftest.c", bytes(range(16)), bytes(range(32)))
    return output(str(simulator()), str(program)).splitlines()[-1]


def core_size(options: tuple[str, ...] = (*COMPILER, *RELAXED), functions: tuple[str, ...] = USED) -> int:
    """Bytes of flash of what the core alone links to, for a sketch that calls these functions."""
    wanted = [f"-Wl,-u,iotcenter_{name}" for name in functions]
    program = compiled(f"core-{len(options)}-{len(functions)}.elf", (*options, "-nostartfiles", *wanted, *CORE))
    text, data, *_ = output("avr-size", str(program)).splitlines()[1].split()
    return int(text) + int(data)


def _array(name: str, data: bytes) -> str:
    numbers = ", ".join(map(str, data))
    return f"static const uint8_t {name}[{len(data)}] IOTCENTER_FLASH = {{{numbers}}};\n"
