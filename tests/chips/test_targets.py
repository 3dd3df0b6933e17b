"""The core on the processors that it is for, in their simulators, and the library as Arduino compiles it."""

from __future__ import annotations

import json
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.web.sketch import sketch
from iotcenter.web.udp_key import UdpKeyForms
from tests.chips import avr
from tests.chips.toolchain import HERE, LIBRARY, SOURCES, compiled, folder, missing, output

SELF_TEST = str(LIBRARY / "extras" / "selftest.c")
LX106_LIBRARY = Path("/usr/lib/xtensa-lx106-elf")

HEADERS = ("Arduino", "Udp", "EEPROM", "Ethernet", "WiFi", "WiFiUdp", "ESP8266WiFi", "esp_random", "esp_sleep")

LARGEST_CORE = 7_680
"""Bytes of flash for a sketch that reports and takes a command, with what the core needs of the C library."""

LARGEST_WHOLE_CORE = 8_538
"""The same for a sketch that calls every function there is."""

LARGEST_ARDUINO_CORE = 8_592
"""That of the first with the options of the Arduino IDE, which nobody can change there."""

LARGEST_MEMORY = 450
"""Bytes of RAM for the device, its configuration and both buffers."""

DEEPEST_STACK = 560

SLOWEST_RECORD = 0.025
"""Seconds, at 16 MHz, for a record of two readings, and for its acknowledgement."""


class CortexTests(SynchronousTestCase):
    """A Cortex-M0, as in many a small board: thumb code, no unaligned access."""

    skip = missing("arm-none-eabi-gcc", "qemu-system-arm")

    def test_vectors(self) -> None:
        """The core computes there what the protocol's vectors say."""
        sizes = ("flash=0", "flash_size=256k", "ram=0x20000000", "ram_size=16k", "stack_size=4k")
        memory = [f"-Wl,--defsym=__{size}" for size in sizes]
        picolibc = ("--specs=picolibc.specs", "--oslib=semihost", "--crt0=hosted")
        program = compiled(
            "cortex", ("arm-none-eabi-gcc", "-mcpu=cortex-m0", "-mthumb", "-Os", *picolibc, *memory, SELF_TEST)
        )
        options = ("-nographic", "-monitor", "none", "-serial", "none", "-chardev", "stdio,id=printed")
        semihosting = ("-semihosting-config", "enable=on,target=native,chardev=printed")
        found = output("qemu-system-arm", "-M", "microbit", *options, *semihosting, "-kernel", str(program))
        self.assertEqual(found.strip(), "ok")


class Lx106Tests(SynchronousTestCase):
    """An lx106, the processor of the ESP8266."""

    skip = missing("xtensa-lx106-elf-gcc", "qemu-system-xtensa")

    def test_vectors(self) -> None:
        """The core computes there what the protocol's vectors say."""
        options = ("-Os", "-ffreestanding", "-ffunction-sections", "-fno-builtin", "-mlongcalls", "-nostdlib")
        library = (f"--specs={LX106_LIBRARY}/picolibc.specs", f"-L{LX106_LIBRARY}/lib")
        layout = ("-Wl,--gc-sections", "-T", str(HERE / "lx106.ld"))
        sources = (str(HERE / "lx106.c"), SELF_TEST)
        program = compiled("lx106", ("xtensa-lx106-elf-gcc", *options, *library, *layout, *sources, "-lc"))
        machine = ("-M", "sim", "-cpu", "lx106", "-nographic", "-monitor", "none", "-serial", "none", "-semihosting")
        self.assertEqual(output("qemu-system-xtensa", *machine, "-kernel", str(program)).strip(), "ok")


class AvrTests(SynchronousTestCase):
    """An ATmega328P, as on the Arduino Uno: 32 KB of flash, 2 KB of RAM, 16 MHz."""

    skip = avr.missing_parts()

    def test_vectors(self) -> None:
        """The core, whose inner parts are in assembly here, computes there what the protocol's vectors say."""
        self.assertEqual(avr.self_test(), "ok")

    def test_flash(self) -> None:
        """What a sketch that reports and takes a command carries of the core stays small."""
        size, arduino = avr.core_size(), avr.core_size((*avr.ARDUINO, *avr.SECTIONS))
        whole = avr.core_size(functions=avr.ALL)
        print(f"core on an ATmega328P: {size} bytes of flash, {whole} whole; as the Arduino IDE compiles it: {arduino}")
        self.assertLessEqual(size, LARGEST_CORE)
        self.assertLessEqual(whole, LARGEST_WHOLE_CORE)
        self.assertLessEqual(arduino, LARGEST_ARDUINO_CORE)

    def test_memory_and_time(self) -> None:
        """Its memory stays small, and a record takes no longer than it may."""
        found = avr.measured()
        memory = found["bytes-device"] + found["bytes-config"] + found["bytes-buffers"]
        milliseconds = {name: cycles / 16_000 for name, cycles in found.items() if name.startswith("cycles-")}
        print(
            f"core on an ATmega328P: {memory} bytes of RAM, {found['bytes-stack']} of stack at most, ms: {milliseconds}"
        )
        self.assertEqual((found["error"], found["busy"]), (0, 0))
        self.assertLessEqual(memory, LARGEST_MEMORY)
        self.assertLessEqual(found["bytes-stack"], DEEPEST_STACK)
        for name in ("cycles-record-out", "cycles-record-in"):
            self.assertLess(found[name] / avr.FREQUENCY, SLOWEST_RECORD)


class ArduinoTests(SynchronousTestCase):
    """The class and the examples, against a stand-in for Arduino's headers."""

    skip = missing("g++", "avr-g++")

    def compile(self, compiler: str, source: Path, *options: str) -> None:
        """Raises ``AssertionError`` with what the compiler has to say."""
        stand_in = folder() / "arduino"
        stand_in.mkdir(exist_ok=True)
        for header in HEADERS:
            (stand_in / f"{header}.h").write_text('#include "arduino.h"\n')
        paths = (f"-I{stand_in}", f"-I{HERE}", f"-I{SOURCES}")
        options = ("-std=gnu++11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", *options, *paths)
        output(compiler, *options, "-x", "c++", "-include", "Arduino.h", str(source))

    def test_class(self) -> None:
        """The class compiles for chips with a random source, and for an AVR."""
        self.compile("g++", SOURCES / "IotCenterDevice.cpp", "-DESP32")
        self.compile("avr-g++", SOURCES / "IotCenterDevice.cpp", "-mmcu=atmega328p", "-Os")

    def test_examples(self) -> None:
        """Every example compiles for the board that it is for."""
        examples = sorted(LIBRARY.glob("examples/*/*.ino"))
        self.assertEqual([path.stem for path in examples], ["Relay", "Sensor", "Sleeper"])
        for path in examples:
            if path.stem == "Relay":
                self.compile("avr-g++", path, "-mmcu=atmega328p", "-Os")
            else:
                self.compile("g++", path, "-DESP32")

    def test_made_sketch(self) -> None:
        """The sketch that the server makes for a device compiles."""
        forms = UdpKeyForms("00112233445566778899aabbccddeeff", "ab" * 32)
        path = folder() / "made.ino"
        path.write_text(sketch("shed", forms, "192.168.1.20", 9999))
        self.compile("g++", path, "-DESP32")

    def test_manifests(self) -> None:
        """What the Library Manager and PlatformIO read agrees with each other and with what is there."""
        lines = (LIBRARY / "library.properties").read_text().splitlines()
        properties = dict(line.split("=", 1) for line in lines)
        manifest = json.loads((LIBRARY / "library.json").read_text())
        self.assertEqual((properties["name"], properties["version"]), (manifest["name"], manifest["version"]))
        self.assertEqual(properties["includes"], manifest["headers"])
        for example in manifest["examples"]:
            self.assertTrue(all((LIBRARY / example["base"] / name).exists() for name in example["files"]))
        self.assertTrue((SOURCES / properties["includes"]).exists())
