"""MicroPython's client on a real MicroPython: the vectors, and the server's end over every kind of network."""

from __future__ import annotations

import math
from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.wire.messages import Command
from iotcenter.wire.udp.content import Kind
from iotcenter.wire.udp.delivery import Parcel
from iotcenter.wire.udp.records import RecordType
from tests.chips.chip import Chip
from tests.chips.micropython import CLIENT, MICROPYTHON, missing_parts
from tests.chips.test_conversation import STORM
from tests.chips.toolchain import HERE, Core, fields
from tests.wire.udp import vectors
from tests.wire.udp.network import UNIX, Weather, World

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
    max_leaves=20,
)


def client() -> Core:
    """The client in a process."""
    return Core(str(MICROPYTHON), str(HERE / "micropython_core.py"), str(CLIENT))


class PrimitiveTests(SynchronousTestCase):
    """What its records are made with."""

    skip = missing_parts()

    def setUp(self) -> None:
        """A client that computes."""
        self.core = client()
        self.addCleanup(self.core.close)

    def test_hmac_and_hkdf(self) -> None:
        """HMAC and HKDF give what RFC 4231 and RFC 5869 say."""
        for case in fields(("HMAC", "rfc-4231-sha256.txt")):
            if len(case["KEY"]) <= 128:
                found = self.core.ask("hmac", bytes.fromhex(case["KEY"]), bytes.fromhex(case["MSG"]))
                self.assertTrue(found.hex().startswith(case["MD"]))
        for case in fields(("KDF", "rfc-5869-HKDF-SHA256.txt")):
            info = bytes.fromhex(case.get("INFO", ""))
            self.assertEqual(
                self.core.ask("expand", bytes.fromhex(case["PRK"]), info, int(case["L"])).hex(), case["OKM"]
            )

    def test_vectors(self) -> None:
        """The protocol's vectors, byte for byte, from the keys to the records."""
        self.core.tell("id", vectors.DEVICE)
        self.core.tell("key", vectors.PSK)
        for purpose, key in (("auth", vectors.K_AUTH), ("session", vectors.K_SESSION), ("nonce", vectors.K_NONCE)):
            self.assertEqual(self.core.ask("derive", purpose), key)
        self.core.tell("start", 0)
        self.assertEqual(self.core.ask("hello", vectors.NONCE_C), vectors.HELLO)
        self.core.tell("receive", vectors.WELCOME)
        self.assertEqual(self.core.ask("session"), vectors.UP_KEY + vectors.DOWN_KEY)
        self.assertEqual(self.core.ask("seal", vectors.UP_KEY, vectors.UP[:9], vectors.UP_TEXT), vectors.UP)
        self.assertEqual(self.core.ask("open", vectors.DOWN_KEY, vectors.DOWN), vectors.DOWN_TEXT)

    def test_every_flipped_bit(self) -> None:
        """A record with any bit flipped is not opened."""
        for bit in range(len(vectors.DOWN) * 8):
            forged = bytearray(vectors.DOWN)
            forged[bit // 8] ^= 1 << bit % 8
            self.assertEqual(self.core.ask("open", vectors.DOWN_KEY, bytes(forged)), b"")

    @settings(max_examples=100)
    @given(VALUES)
    def test_messagepack(self, value: Any) -> None:
        """What the server writes it reads, and what it writes the server reads."""
        found = self.core.ask("unpacked", msgspec.msgpack.encode(value))
        self.assertEqual(msgspec.msgpack.decode(found), value)

    @settings(max_examples=200)
    @example(bytes.fromhex("81914c810c41"))
    @given(st.binary(max_size=60))
    def test_arbitrary_messagepack(self, data: bytes) -> None:
        """Arbitrary bytes are refused, or read as the server reads them."""
        found = self.core.ask("unpacked", data)
        if found:
            theirs, ours = msgspec.msgpack.decode(data), msgspec.msgpack.decode(found)
            self.assertTrue(theirs == ours or "nan" in repr(ours), (theirs, ours))  # NaN is not even itself


class ConversationTests(SynchronousTestCase):
    """A board and a server."""

    skip = missing_parts()

    def chip(self, world: World, sleepy: int = 0) -> Chip:
        """A board in that world, which is looked after."""
        chip = Chip(world, sleepy, core=client())
        self.addCleanup(chip.close)
        return chip

    def online(self, sleepy: int = 0) -> tuple[World, Chip]:
        """A board that is connected."""
        world = World(5)
        chip = self.chip(world, sleepy)
        world.run(1.0)
        self.assertEqual(chip.states, ["online"])
        return world, chip

    def test_storm(self) -> None:
        """With a fifth lost, doubles, another order and ports that move, all is stored once and takes effect once."""
        world = World(4, STORM)
        chip = self.chip(world)
        for number in range(30):
            world.at(3.0 * number, chip.report)
        for number in range(3):
            world.at(20.0 + 30 * number, lambda n=number: self.give(world, chip, n + 1))  # type: ignore[misc]
        world.run(1800.0, lambda: len(world.server.stored) == 30 and len(chip.effects) == 3)
        self.assertEqual(len(world.server.stored), 30)
        self.assertEqual(chip.effects, {f"c{number}": 1 for number in (1, 2, 3)})

    def give(self, world: World, chip: Chip, id: int) -> None:
        """Give a command until it has taken effect."""
        session = world.server.endpoint.session_of(chip.id)
        if session is not None and not session.cold:
            world.server.command(chip.id, Command(id, f"c{id}"))
        if not chip.effects[f"c{id}"]:
            world.at(world.now + 90.0, lambda: None if chip.effects[f"c{id}"] else self.give(world, chip, id))

    def test_server_restarts(self) -> None:
        """A server that starts anew costs one handshake, and no reading."""
        world, chip = self.online()
        world.run(20.0)
        world.server.start()
        chip.report()
        world.run(30.0)
        self.assertEqual((world.server.begun, len(world.server.stored)), (2, 1))

    def test_silent_server(self) -> None:
        """A server that is away, and forgets, gets what waited when it is back."""
        world, chip = self.online()
        world.server.start()
        chip.rebind()
        world.weather = Weather(loss=1.0)
        chip.report()
        world.run(900.0)
        self.assertEqual(chip.states, ["online", "offline"])
        world.weather = Weather()
        world.run(150.0)
        self.assertEqual((len(world.server.stored), chip.states[-1]), (1, "online"))

    def test_sleepy(self) -> None:
        """A device that sleeps is silent by itself; a command follows on its next report, while it listens."""
        world, chip = self.online(sleepy=1)
        before = len(chip.sent)
        world.run(600.0)
        self.assertEqual(len(chip.sent), before)
        world.server.backlog[chip.id] = [Command(1, "relay")]
        chip.report()
        world.run(0.06)
        self.assertEqual(chip.status()["listening"], 1)
        world.run(5.0)
        self.assertEqual(chip.effects["relay"], 1)

    def test_keepalive_and_time(self) -> None:
        """It shows itself often enough for its NAT, and knows the server's time."""
        world, chip = self.online()
        before = len(chip.sent)
        world.run(600.0)
        self.assertTrue(600 / 110 - 1 <= len(chip.sent) - before <= 600 / 20)
        self.assertLess(abs(chip.status()["time"] - (UNIX + world.now)), 2)

    def test_senseless_configuration(self) -> None:
        """A number of seconds that is none changes nothing, and does not end the program."""
        world, chip = self.online()
        session = world.server.endpoint.session_of(chip.id)
        assert session is not None
        for seconds in (math.inf, None, "often", [10]):
            session._sender.put(Parcel(Kind.CONFIGURATION, msgspec.msgpack.encode([seconds])))
            world.server.flush(session)
            world.run(5.0)
        self.assertTrue(chip.report())

    def test_strangers(self) -> None:
        """What is forged, repeated, cut short or from another session changes nothing and is not answered."""
        world, chip = self.online()
        world.server.command(chip.id, Command(1, "relay"))
        world.run(5.0)
        captured = [datagram for datagram, address in world.server.replies if address == chip.address]
        before = len(chip.sent)
        for datagram in captured:
            chip.receive(datagram)
            for size in range(len(datagram)):
                chip.receive(datagram[:size])
            for bit in range(0, len(datagram) * 8, 3):
                chip.receive(bytes(byte ^ (1 << bit % 8 if at == bit // 8 else 0) for at, byte in enumerate(datagram)))
        self.assertEqual((len(chip.sent), chip.states, chip.effects["relay"]), (before, ["online"], 1))

    def test_false_alarm(self) -> None:
        """Whoever forges a RESET gets one HELLO in ten seconds, and breaks nothing."""
        world, chip = self.online()
        world.run(20.0)
        chip.report()
        sent = chip.sent[-1]
        self.assertEqual(sent[0], RecordType.UP)
        world.run(1.0)
        before = len(chip.sent)
        for _ in range(50):
            chip.receive(b"\xc5" + sent[1:9])
        self.assertEqual(len(chip.sent) - before, 1)
        world.run(5.0)
        self.assertEqual((chip.states, len(world.server.stored)), (["online"], 1))
