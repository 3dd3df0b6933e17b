"""The C core and the server's end, over every kind of network."""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.model import Argument, ArgumentType, CommandOffer, Reading, Series
from iotcenter.wire.messages import Busy, Command, Hello, Log, Report, Result, ResultState
from iotcenter.wire.udp.handshake import Flag, parse_hello
from iotcenter.wire.udp.records import RecordType
from tests.chips.chip import Chip
from tests.chips.toolchain import Core, missing
from tests.wire.udp import vectors
from tests.wire.udp.network import UNIX, Weather, World

STORM = Weather(loss=0.2, doubled=0.05, delay=0.03, spread=0.2, port_moves_after=7)

OFFER = CommandOffer(
    "relay",
    arguments=(Argument("on", ArgumentType.BOOLEAN), Argument("seconds", ArgumentType.INTEGER, required=False)),
    confirm=True,
)


class VectorTests(SynchronousTestCase):
    """The vectors of the protocol, byte for byte."""

    skip = missing("gcc")

    def setUp(self) -> None:
        """A core that computes."""
        self.core = Core()
        self.addCleanup(self.core.close)

    def test_keys(self) -> None:
        """The three keys that come of a device's key."""
        self.core.tell("key", vectors.PSK)
        for purpose, key in (("auth", vectors.K_AUTH), ("session", vectors.K_SESSION), ("nonce", vectors.K_NONCE)):
            self.assertEqual(self.core.ask("derive", purpose), key)

    def test_handshake(self) -> None:
        """HELLO is what it must be, and the WELCOME to it gives the session's keys."""
        self.core.tell("id", vectors.DEVICE)
        self.core.tell("key", vectors.PSK)
        self.core.tell("start", 0, 1, "-", vectors.MAX_RX, 64)
        self.assertEqual(self.core.ask("hello", vectors.NONCE_C), vectors.HELLO)
        self.core.tell("receive", vectors.WELCOME)
        self.assertEqual(self.core.ask("session"), vectors.UP_KEY + vectors.DOWN_KEY)

    def test_records(self) -> None:
        """The records of both directions are sealed and opened."""
        for key, record, text in (
            (vectors.UP_KEY, vectors.UP, vectors.UP_TEXT),
            (vectors.DOWN_KEY, vectors.DOWN, vectors.DOWN_TEXT),
        ):
            self.assertEqual(self.core.ask("seal", key, record[:9], text), record)
            self.assertEqual(self.core.ask("open", key, record), text)

    def test_every_flipped_bit(self) -> None:
        """A record with any bit flipped is not opened."""
        for bit in range(len(vectors.DOWN) * 8):
            forged = bytearray(vectors.DOWN)
            forged[bit // 8] ^= 1 << bit % 8
            self.assertEqual(self.core.ask("open", vectors.DOWN_KEY, bytes(forged)), b"")


class StartTests(SynchronousTestCase):
    """What the core does not start with."""

    skip = missing("gcc")

    def setUp(self) -> None:
        """A core that was not started."""
        self.core = Core()
        self.addCleanup(self.core.close)

    def test_not_fresh(self) -> None:
        """Without a random source and without a boot count it refuses: old answers could be played to it."""
        self.assertEqual(self.core.tell("start", 0, 0, "-", 192, 64), [["error", "3"]])
        self.assertEqual(self.core.tell("poll"), [["wait", "4294967295"]])

    def test_small_buffers(self) -> None:
        """Buffers that nothing fits into are refused."""
        self.assertEqual(self.core.tell("start", 0, 1, "-", 127, 64), [["error", "1"]])
        self.assertEqual(self.core.tell("start", 0, 1, "-", 128, 47), [["error", "1"]])

    def test_nonces_differ(self) -> None:
        """Each boot, each noise and each new try makes another nonce."""
        nonces = set()
        for boots, noise in ((1, "-"), (2, "-"), (0, bytes(16)), (0, bytes(15) + b"\1")):
            self.core.tell("clock", 0)
            self.core.tell("start", 0, boots, noise, 192, 64)
            for milliseconds in range(0, 600_000, 1000):
                self.core.tell("clock", milliseconds)
                for what, *words in self.core.tell("poll"):
                    if what == "send":
                        hello = parse_hello(bytes.fromhex(words[0]))
                        assert hello is not None
                        nonces.add(hello.nonce)
        self.assertEqual(len(nonces), 4 * 3)


class ConversationTests(SynchronousTestCase):
    """A chip and a server."""

    skip = missing("gcc")

    def world(self, weather: Weather | None = None) -> World:
        """A world with a server."""
        return World(5, weather)

    def chip(self, world: World, sleepy: int = 0, packet: int = 192, message: int = 112) -> Chip:
        """A chip in it, which is looked after."""
        chip = Chip(world, sleepy, packet, message)
        self.addCleanup(chip.close)
        return chip

    def online(self, **options: int) -> tuple[World, Chip]:
        """A chip that is connected."""
        world = self.world()
        chip = self.chip(world, **options)
        world.run(1.0)
        self.assertEqual(chip.states, ["online"])
        return world, chip

    def command(self, world: World, chip: Chip, command: Command) -> Result:
        """What comes of a command."""
        world.server.command(chip.id, command)
        world.run(5.0)
        results = [result for _, result in world.server.results if result.id == command.id]
        self.assertEqual(len(results), 1)
        return results[0]

    def test_offer(self) -> None:
        """The device tells what it is and offers, when it has connected."""
        world, _ = self.online(message=400, packet=512)
        (hello,) = [message for message in world.server.messages if isinstance(message, Hello)]
        self.assertEqual(hello.boot, 1)
        self.assertEqual(hello.series, (Series("t", unit="Cel", every=10.0),))
        self.assertEqual(hello.commands[0], OFFER)
        self.assertEqual([argument.name for argument in hello.commands[1].arguments], ["volts", "why"])

    def test_offer_without_room(self) -> None:
        """Of an offer that is longer than the buffers, what fits is told."""
        world, _ = self.online(packet=128, message=48)
        (hello,) = [message for message in world.server.messages if isinstance(message, Hello)]
        self.assertEqual((len(hello.series), len(hello.commands)), (1, 1))

    def test_report(self) -> None:
        """Readings of every type arrive as they were, each with its number."""
        world, chip = self.online()
        given = [
            ("f", "f", 21.5, 0),
            ("i", "i", -70000, 3),
            ("big", "i", 2147483647, 0),
            ("b", "b", 1, 0),
            ("t", "t", "öffen", 0),
        ]
        self.assertTrue(chip.report(*given))
        self.assertEqual(chip.status()["busy"], 1)
        world.run(1.0)
        (report,) = [message for message in world.server.messages if isinstance(message, Report)]
        self.assertEqual((report.boot, report.sequence), (1, 1))
        self.assertEqual(
            report.readings,
            (
                Reading("f", 21.5),
                Reading("i", -70000.0, -3.0),
                Reading("big", 2147483647.0),
                Reading("b", True),
                Reading("t", "öffen"),
            ),
        )
        self.assertEqual(chip.status()["busy"], 0)
        self.assertTrue(chip.report())
        world.run(1.0)
        self.assertEqual(max(sequence for _, _, sequence in world.server.stored), 6)

    def test_two_readings_are_short(self) -> None:
        """A datagram with two readings has 57 bytes."""
        _, chip = self.online()
        chip.report(("t", "f", 21.5, 0), ("h", "f", 40.25, 0))
        self.assertEqual(len(chip.sent[-1]), 9 + 32 + 16)

    def test_full_report(self) -> None:
        """What does not fit into a report is refused, and the rest of it sent."""
        world, chip = self.online(message=64)
        self.assertTrue(chip.says("report"))
        fitting = sum(chip.says("reading", f"series-{number}", "f", number, 0) for number in range(10))
        self.assertTrue(0 < fitting < 10)
        self.assertTrue(chip.says("commit"))
        chip.poll()
        world.run(1.0)
        self.assertEqual(len(world.server.stored), fitting)

    def test_empty_report(self) -> None:
        """A report without a reading is none, and does not stand in the way."""
        _, chip = self.online()
        self.assertTrue(chip.says("report"))
        self.assertFalse(chip.says("report"))
        self.assertFalse(chip.says("commit"))
        self.assertTrue(chip.report())

    def test_log(self) -> None:
        """A line of the log arrives with the server's time."""
        world, chip = self.online()
        self.assertTrue(chip.says("log", "warning", "dry"))
        chip.poll()
        world.run(1.0)
        (log,) = [message for message in world.server.messages if isinstance(message, Log)]
        self.assertEqual((log.lines[0].level, log.lines[0].text), ("warning", "dry"))
        self.assertLess(abs(log.lines[0].time - (UNIX)), 2)

    def test_time(self) -> None:
        """The device knows the server's time."""
        world, chip = self.online()
        world.run(3600.0)
        self.assertLess(abs(chip.status()["time"] - (UNIX + world.now)), 2)

    def test_command(self) -> None:
        """A command arrives with its arguments, takes effect once, and its result goes back."""
        world, chip = self.online()
        result = self.command(world, chip, Command(2**40 + 1, "relay", {"seconds": -90000, "on": True}))
        self.assertEqual((result.state, result.result), (ResultState.DONE, True))
        self.assertEqual(chip.commands, [["relay", "1", "-90000", "-1", "?"]])

    def test_arguments(self) -> None:
        """Arguments of every type are read; those that are missing, or of another type, are left alone."""
        world, chip = self.online()
        cases: tuple[tuple[dict[str, object], list[str]], ...] = (
            ({}, ["0", "-1", "-1", "?"]),
            ({"on": 1, "seconds": True, "volts": "3", "why": 7}, ["0", "-1", "-1", "?"]),
            ({"seconds": 2**31, "volts": 3, "why": "1234567"}, ["0", "-1", "3", "1234567"]),
            ({"seconds": 2**31 - 1, "volts": 3.3, "why": "12345678"}, ["0", "2147483647", "3.29999995", "?"]),
            ({"seconds": -(2**31), "volts": -1e300}, ["0", "-2147483648", "-inf", "?"]),
            ({"seconds": 127, "volts": 1e-300, "x": [1, {"on": True}, [[]]], "on": True}, ["1", "127", "0", "?"]),
            ({"seconds": -33, "volts": 16777219.0}, ["0", "-33", "16777220", "?"]),
        )
        for number, (arguments, expected) in enumerate(cases):
            self.command(world, chip, Command(number + 1, "do", dict(arguments)))
            self.assertEqual(chip.commands[-1], ["do", *expected])

    def test_results(self) -> None:
        """A result may be nothing or a number; one too long, and a failure, say so in whole characters."""
        world, chip = self.online(message=48)
        self.assertEqual(self.command(world, chip, Command(1, "other")).result, None)
        self.assertEqual(self.command(world, chip, Command(2, "level", {"volts": 2.5})).result, 2.5)
        long = self.command(world, chip, Command(3, "long"))
        self.assertEqual((long.state, long.error), (ResultState.FAILED, "done, with a long result"))
        failed = self.command(world, chip, Command(4, "fail"))
        assert failed.error is not None
        self.assertEqual(failed.state, ResultState.FAILED)
        self.assertTrue(failed.error.startswith("grüße aus einem"))

    def test_long_reason(self) -> None:
        """A reason that is longer than a text may be is cut, whatever the buffer holds."""
        world, chip = self.online(packet=512, message=400)
        failed = self.command(world, chip, Command(1, "explain"))
        self.assertEqual((failed.state, failed.error), (ResultState.FAILED, "?" * 255))

    def test_repeated_command(self) -> None:
        """A command that comes again, by whatever message, takes effect once."""
        world, chip = self.online()
        for _ in range(3):
            world.server.command(chip.id, Command(9, "relay", {"on": True}))
            world.run(5.0)
        self.assertEqual(chip.effects["relay"], 1)

    def test_command_while_a_report_waits(self) -> None:
        """A command that finds no room for its result waits, and wins the next one."""
        world, chip = self.online()
        world.server.storing = False
        chip.report()
        world.run(0.5)
        world.server.command(chip.id, Command(9, "relay", {"on": True}))
        world.run(0.5)
        self.assertEqual(chip.effects["relay"], 0)
        world.server.storing = True
        (session,) = world.server.endpoint.sessions.values()
        session.send(Busy(1, 1, 5.0), world.now)
        world.run(10.0, lambda: not chip.status()["busy"])
        self.assertFalse(chip.report())
        world.run(30.0)
        self.assertEqual(chip.effects["relay"], 1)
        self.assertTrue(chip.report())

    def test_keepalive(self) -> None:
        """A device that has nothing to say shows itself often enough for its NAT, and not much more often."""
        world, chip = self.online()
        before = len(chip.sent)
        world.run(3600.0)
        self.assertTrue(3600 / 110 - 1 <= len(chip.sent) - before <= 3600 / 20)
        self.assertFalse(any(session.silent(world.now) for session in world.server.endpoint.sessions.values()))

    def test_renewal(self) -> None:
        """Within a day the session is made anew, and nothing is lost on the way."""
        world, chip = self.online()
        world.run(100 * 3600.0)
        self.assertEqual(world.server.begun, 5)
        self.assertEqual(chip.states, ["online"])

    def test_server_restarts(self) -> None:
        """A server that starts anew costs one handshake, and no reading."""
        world, chip = self.online()
        world.run(20.0)
        world.server.start()
        chip.report()
        world.run(30.0)
        self.assertEqual((world.server.begun, len(world.server.stored)), (2, 1))

    def test_silent_server(self) -> None:
        """A server that is away for hours, and forgets, gets what waited, with its age."""
        world, chip = self.online()
        world.server.start()
        chip.rebind()
        world.weather = Weather(loss=1.0)
        chip.report(("t", "f", 1.0, 5))
        world.run(3 * 3600.0)
        self.assertEqual(chip.states, ["online", "offline"])
        before = len(chip.sent)
        world.run(3600.0)
        self.assertLess(len(chip.sent) - before, 3600 / 20)
        world.weather = Weather()
        world.run(120.0)
        (report,) = [message for message in world.server.messages if isinstance(message, Report)]
        self.assertLess(abs(report.readings[0].time - (-4 * 3600 - 5)), 150)
        self.assertEqual(chip.states, ["online", "offline", "online"])

    def test_storm(self) -> None:
        """With a fifth lost, doubles, another order and ports that move, all is stored once and takes effect once."""
        world = self.world(STORM)
        chips = [self.chip(world) for _ in range(5)]
        for chip in chips:
            self.report_often(world, chip, 50)
            for number in range(5):
                world.at(20.0 + 30.0 * number, self.giving(world, chip, f"c{number}", number + 1))
        world.run(
            7200.0, lambda: len(world.server.stored) == 250 and all(sum(chip.effects.values()) >= 5 for chip in chips)
        )
        self.assertEqual(len(world.server.stored), 250)
        for chip in chips:
            self.assertEqual(chip.effects, {f"c{number}": 1 for number in range(5)})

    def report_often(self, world: World, chip: Chip, left: int) -> None:
        """Report so many times, as soon as there is room."""
        left -= chip.report()
        if left:
            world.at(world.now + 1.0, lambda: self.report_often(world, chip, left))

    def giving(self, world: World, chip: Chip, name: str, id: int) -> Callable[[], None]:
        """Gives a command until it has taken effect."""

        def give() -> None:
            session = world.server.endpoint.session_of(chip.id)
            if session is not None and not session.cold:
                world.server.command(chip.id, Command(id, name))
            world.at(world.now + 120.0, lambda: None if chip.effects[name] else give())

        return give

    def test_sleepy(self) -> None:
        """A device that sleeps is silent by itself; a command follows on its next report, while it listens."""
        world, chip = self.online(sleepy=1)
        world.run(10.0)
        self.assertEqual(chip.status()["listening"], 0)
        before = len(chip.sent)
        world.run(3600.0)
        self.assertEqual(len(chip.sent), before)
        world.server.backlog[chip.id] = [Command(1, "relay", {"on": True})]
        chip.report()
        world.run(0.06)
        self.assertEqual(chip.status()["listening"], 1)
        world.run(5.0)
        self.assertEqual(chip.effects["relay"], 1)
        self.assertEqual(chip.status()["listening"], 0)
        self.assertEqual([result.id for _, result in world.server.results], [1])
        hello = parse_hello(chip.sent[0])
        assert hello is not None
        self.assertTrue(hello.flags & Flag.SLEEPY)

    def test_deep_sleep(self) -> None:
        """A sleep that keeps the memory of the device alone costs neither the session nor the report on its way,
        however long it is."""
        for seconds in (600, 12 * 3600):
            world, chip = self.online(sleepy=1)
            world.run(5.0)
            begun, world.weather = world.server.begun, Weather(loss=1.0)
            chip.report()
            chip.asleep = True
            world.run(float(seconds))
            world.weather = Weather()
            chip.wake(seconds * 1000)
            world.run(5.0)
            (report,) = [message for message in world.server.messages if isinstance(message, Report)]
            self.assertLess(abs(report.readings[0].time + seconds), 2)
            self.assertEqual((world.server.begun, chip.status()["busy"]), (begun, 0))

    def test_stop(self) -> None:
        """A device that stops says goodbye, and is silent from then on."""
        world, chip = self.online()
        chip._tell("stop")
        world.run(1.0)
        before = len(chip.sent)
        world.run(600.0)
        self.assertEqual(len(chip.sent), before)
        self.assertFalse(chip.report())
        self.assertEqual(type(world.server.messages[-1]).__name__, "Close")

    def test_strangers(self) -> None:
        """What is forged, repeated, cut short or from another session changes nothing and is not answered."""
        world, chip = self.online()
        world.server.command(chip.id, Command(1, "relay", {"on": True}))
        world.run(5.0)
        captured = [datagram for datagram, address in world.server.replies if address == chip.address]
        before, states = len(chip.sent), list(chip.states)
        for datagram in captured:
            chip.receive(datagram)
            for size in range(len(datagram)):
                chip.receive(datagram[:size])
            for bit in range(len(datagram) * 8):
                chip.receive(bytes(byte ^ (1 << bit % 8 if at == bit // 8 else 0) for at, byte in enumerate(datagram)))
        for size in (1, 192, 193, 1200, 1500):
            for type in range(0xC0, 0xC8):
                chip.receive(bytes([type]) + world.random.randbytes(size - 1))
        self.assertEqual((len(chip.sent), chip.states, chip.effects["relay"]), (before, states, 1))

    def test_false_alarm(self) -> None:
        """Whoever forges a RESET gets one HELLO in ten seconds, and breaks nothing."""
        world, chip = self.online()
        world.run(20.0)
        self.assertTrue(chip.report())
        sent = chip.sent[-1]
        self.assertEqual(sent[0], RecordType.UP)
        world.run(1.0)
        before = len(chip.sent)
        for _ in range(50):
            chip.receive(b"\xc5" + sent[1:9])
        self.assertEqual(len(chip.sent) - before, 1)
        world.run(5.0)
        self.assertTrue(chip.report())
        world.run(2.0)
        self.assertEqual((chip.states, len(world.server.stored)), (["online"], 2))
