"""What people do over ``ssh -J``: log in, copy, forward, with the stock OpenSSH."""

from __future__ import annotations

import hashlib
import os
import random
from pathlib import Path
from signal import SIGINT
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol

from tests.gateway.case import DEVICE, GatewayCase
from tests.processes import Program, free_port, until

MEGABYTE = 1024 * 1024


def make_file(path: Path, megabytes: int) -> str:
    """A file of bytes that nothing can shorten; its digest."""
    with path.open("wb") as file:
        numbers = random.Random(megabytes)
        for _ in range(megabytes):
            file.write(numbers.randbytes(MEGABYTE))
    return digest(path)


def digest(path: Path) -> str:
    """What tells the content of a file from any other."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Hearing(Protocol):
    """Takes what comes until the other side has said all."""

    def __init__(self) -> None:
        self.heard = b""
        self.lost: Deferred[bytes] = Deferred()

    @property
    def tcp(self) -> Any:
        """What to write to."""
        return self.transport

    def dataReceived(self, data: bytes) -> None:
        """Keep it."""
        self.heard += data

    def connectionLost(self, reason: object = None) -> None:
        """That was all."""
        self.lost.callback(self.heard)


class SessionTests(GatewayCase):
    """Everything that works over a direct connection works."""

    async def test_command(self) -> None:
        """A command runs on the device, and its output and status come back; who was there, for how long and with how
        many bytes is kept."""
        self.assertEqual(await self.run_ssh(DEVICE, "echo hello; echo $((6*7))"), "hello\n42\n")
        program = self.ssh(DEVICE, "exit 7")
        self.assertEqual(await program.outcome(), 7, program.said)

        async def both() -> bool:
            return len(await self.events("tunnel.closed")) == 2

        await until(self.reactor, both, "the ends were not noted")
        for event in await self.events("tunnel.opened"):
            self.assertEqual((event["actor"], event["object"]), ("ann", DEVICE))
            self.assertEqual(event["data"], {"port": self.sshd.port, "way": "SSH from 127.0.0.1"})
        for event in await self.events("tunnel.closed"):
            self.assertGreater(event["data"]["sent"], 1000)
            self.assertGreater(event["data"]["received"], 1000)
            self.assertGreater(event["data"]["seconds"], 0)

    async def test_terminal(self) -> None:
        """A session with a terminal takes what is typed."""
        program = self.ssh("-tt", DEVICE, "read line; echo you typed $line")
        program.write(b"something\n")
        self.assertEqual(await program.outcome(), 0, program.said)
        self.assertIn("you typed something", program.output)

    async def test_copy(self) -> None:
        """scp carries 100 MB there and back, byte for byte."""
        there, back = self.folder / "there", self.folder / "back"
        wanted = make_file(self.folder / "photo", 100)
        for source, target in (
            (self.folder / "photo", f"{DEVICE}:{there}"),
            (f"{DEVICE}:{there}", back),
        ):
            program = self.home.run("scp", str(source), str(target))
            self.addCleanup(program.end)
            self.assertEqual(await program.outcome(), 0, program.said)
        self.assertEqual((digest(there), digest(back)), (wanted, wanted))

    async def test_rsync(self) -> None:
        """rsync brings a tree over, and then only what changed."""
        source, target = self.folder / "tree", self.folder / "copy"
        source.mkdir()
        for number in range(50):
            (source / f"{number}.txt").write_text(f"file {number}\n" * number)
        shell = f"ssh -F {self.home.config}"
        for change in ("", "another line\n"):
            with (source / "7.txt").open("a") as file:
                file.write(change)
            words = ("rsync", "-a", "--stats", "-e", shell, f"{source}/", f"{DEVICE}:{target}/")
            program = self.run_program(*words)
            self.assertEqual(await program.outcome(), 0, program.said)
            self.assertEqual((target / "7.txt").read_text(), (source / "7.txt").read_text())
        self.assertIn("Number of regular files transferred: 1\n", program.output)

    async def test_forwarded_port(self) -> None:
        """``ssh -L`` to the gateway itself leads to a port of the device that its configuration allows."""
        port = free_port()
        forwarding = self.ssh("-N", "-v", "-L", f"127.0.0.1:{port}:{DEVICE}:{self.echo}", "jump")
        await forwarding.until("Entering interactive session")
        for text in (b"one", b"two" * 100_000):
            client = await connectProtocol(TCP4ClientEndpoint(self.reactor, "127.0.0.1", port), Hearing())
            client.tcp.write(text)
            client.tcp.loseWriteConnection()
            self.assertEqual(await client.lost, b"you said: " + text)

    async def test_one_direction_ends_first(self) -> None:
        """The end of input goes through, and the answer that follows it comes back."""
        program = self.ssh("-W", f"{DEVICE}:{self.echo}", "jump")
        program.write(b"that is all")
        self.assertEqual(await program.outcome(), 0, program.said)
        self.assertEqual(program.output, "you said: that is all")

    async def test_many(self) -> None:
        """Twenty sessions at once, each with an answer of its own."""
        programs = [self.ssh(DEVICE, f"head -c {number * 50_000} /dev/zero | wc -c") for number in range(20)]
        self.assertEqual(await gatherResults([one.outcome() for one in programs]), [0] * 20, programs[0].said)
        self.assertEqual([int(one.output) for one in programs], [number * 50_000 for number in range(20)])

    async def test_interrupted(self) -> None:
        """Ctrl-C in the middle of a copy ends the tunnel on both sides, at once."""
        copy = self.ssh(DEVICE, "cat /dev/zero")
        await until(self.reactor, lambda: len(copy.output) > MEGABYTE, "nothing comes")
        copy.signal(SIGINT)
        await copy.outcome()

        async def ended() -> bool:
            return [event["object"] for event in await self.events("tunnel.closed")] == [DEVICE]

        await until(self.reactor, ended, "the tunnel is still open", 30)
        await self.agent.program.until("ended")

    def run_program(self, *words: str) -> Program:
        """Start a program; it is ended with the test."""
        program = Program(self.reactor, words, {"RSYNC_RSH": "", "HOME": os.environ.get("HOME", "/")})
        self.addCleanup(program.end)
        return program
