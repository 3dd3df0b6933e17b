"""What cannot be understood: the link ends, in words; nothing else happens."""

from __future__ import annotations

import gc
import os
import random
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.logs import LogLimit
from iotcenter.model import Reading
from iotcenter.wire.codec import decode
from iotcenter.wire.errors import WireError
from iotcenter.wire.framing import FrameReader, frame
from iotcenter.wire.messages import Ack, Close, Hello, Report
from tests.faults.links import join
from tests.faults.mutants import MESSAGES, framed, mutant
from tests.faults.surroundings import Surroundings
from tests.processes import resident, until
from tests.transports.support import Client, TLSTestCase, client_context
from tests.wire.strategies import messages

LINKS = 150
"""How many links are ruined one after the other."""

LAST = Report(424_242, 1, (Reading("last", True),))
"""What a device says at the end, to see whether it is still understood."""

FRAMES = 100_000
MAX_GROWTH = 4 * 1024 * 1024
"""How much memory may be taken over so many frames: what an allocator keeps back, and no more."""


class RealLinksTests(TLSTestCase):
    """A device of ours that has gone mad, on a real port, before the real center."""

    async def test_ruined(self) -> None:
        """Each link ends with a word for the device and a line in the log, or goes on; nothing fails within."""
        key, certificate = await self.enroll("kitchen-pi")
        context = client_context(key, [certificate])
        self.service._connections.log_limit = LogLimit(self.reactor.seconds, most=LINKS)
        seed = int.from_bytes(os.urandom(4))
        self.random = random.Random(seed)
        ended = 0
        for _ in range(LINKS):
            client = await join(self.reactor, self.service.port, context, Hello(boot=1))
            self.clients.append(client)
            before = len(self.complaints())
            closed = await self.ruin(client)
            ended += closed
            self.assertEqual(len(self.complaints()) - before, closed, f"seed {seed}: {self.complaints()[before:]}")
        self.assertGreater(ended, LINKS / 3)
        self.assertEqual([line for line in self.lines if line.startswith("A request")], [])
        self.assertEqual(self.flushLoggedErrors(), [], f"seed {seed}")

    async def ruin(self, client: Client) -> bool:
        """Send a few frames of all kinds; whether the server closed the link, which it says."""
        for _ in range(self.random.randint(1, 12)):
            client.write(framed(mutant(self.random)))
        client.send(LAST)

        def done() -> bool:
            return client.lost.called or any(isinstance(one, Ack) and one.boot == LAST.boot for one in client.received)

        await until(self.reactor, done, "the server does not answer", every=0.005)
        closed = any(isinstance(message, Close) for message in client.received)
        self.assertEqual(closed, client.lost.called)
        if not closed:
            await client.close()
        return closed

    def complaints(self) -> list[str]:
        """The lines of the log about this machine."""
        return [line for line in self.lines if line.startswith("127.0.0.1")]


class MemoryTests(SynchronousTestCase):
    """The same without a network: any bytes, in any pieces."""

    PIECES = st.one_of(
        st.binary(max_size=30),
        st.binary(min_size=1, max_size=60).map(framed),
        messages.map(frame),
        st.integers(0, 2**32 - 1).map(lambda length: length.to_bytes(4)),
        st.randoms(use_true_random=False).map(lambda chance: framed(mutant(chance))),
    )

    @given(st.lists(PIECES, max_size=20), st.integers(1, 100), st.booleans())
    def test_anything(self, pieces: list[bytes], size: int, greets: bool) -> None:
        """A link goes on or is closed with one reason and one line, and after that nothing counts or stays behind."""
        around = Surroundings()
        connection, transport = around.connect()
        data = b"".join([frame(Hello()), *pieces] if greets else pieces)
        for start in range(0, len(data), size):
            connection.dataReceived(data[start : start + size])
        closes = [message for message in transport.said() if isinstance(message, Close)]
        self.assertEqual(len(around.lines), len(closes))
        self.assertLessEqual(len(closes), 1)
        received = len(around.attachment.messages)
        if closes:
            self.assertTrue(transport.disconnecting)
            connection.dataReceived(frame(MESSAGES[1]))
        self.assertEqual(len(around.attachment.messages), received)
        around.lose(connection)
        self.assertEqual(around.clock.getDelayedCalls(), [])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_flood(self) -> None:
        """However many send nonsense, the log gets sixty lines a minute, and then how many were left out."""
        around = Surroundings()
        for _ in range(500):
            self.send_nonsense(around)
        self.assertEqual(len(around.lines), 60)
        around.clock.advance(60)
        self.send_nonsense(around)
        self.assertIn("(440 lines like this were left out)", around.lines[-1])
        self.assertEqual(len(around.lines), 61)

    def send_nonsense(self, around: Surroundings) -> None:
        """Somebody comes, sends it, and goes."""
        connection, transport = around.connect()
        connection.dataReceived(framed(b"\xc1"))
        self.assertTrue(transport.disconnecting)
        around.lose(connection)


class MemoryUseTests(SynchronousTestCase):
    """Nonsense leaves nothing behind."""

    def test_flat(self) -> None:
        """After a hundred thousand frames of it, the process is as large as before."""
        chance = random.Random(1)
        decoded = self.decode(FRAMES // 10, chance)
        gc.collect()
        before = resident(os.getpid())
        decoded += self.decode(FRAMES, chance)
        gc.collect()
        self.assertLess(resident(os.getpid()) - before, MAX_GROWTH)
        self.assertTrue(FRAMES / 10 < decoded < FRAMES, decoded)

    def decode(self, count: int, chance: random.Random) -> int:
        """Read so many frames, cut anyhow; how many of them were messages."""
        reader, good = FrameReader(), 0
        for body in self.frames(count, chance, reader):
            try:
                decode(body)
            except WireError:
                continue
            good += 1
        return good

    def frames(self, count: int, chance: random.Random, reader: FrameReader) -> Iterator[bytes]:
        """The bodies that a reader cuts out of a stream of frames."""
        for _ in range(count):
            data = framed(mutant(chance))
            middle = chance.randrange(len(data))
            yield from reader.receive(data[:middle])
            yield from reader.receive(data[middle:])
