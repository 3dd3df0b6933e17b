"""What peers may say in any order, well or badly, at any pace: hypothesis looks for an order that we did not think
of."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.transports.tls_connection import Connection
from iotcenter.wire.framing import frame
from iotcenter.wire.messages import Close, CloseCode, Enroll, Hello, Renew
from tests.faults.mutants import framed, mutant
from tests.faults.surroundings import SECRET, Begin, Surroundings, Transport, enrollment, link, renewal
from tests.transports.support import new_key, request_for
from tests.wire.strategies import messages

LINES = 60
"""How many lines strangers may have in the log each minute."""

SILENT = (CloseCode.REVOKED, CloseCode.STOPPING, CloseCode.USED, CloseCode.EXPIRED)
"""Closed for these, nobody did anything wrong: the log need not say so."""


@dataclass(eq=False)
class Caller:
    """Somebody who is connected, and what it has sent of a frame so far."""

    connection: Connection
    transport: Transport
    unsent: bytes = b""


class Callers(RuleBasedStateMachine):
    """A server, and whoever connects to it: one at a time in the foreground, the others stay until the end."""

    def __init__(self) -> None:
        super().__init__()
        self.around = Surroundings()
        self.request = request_for(new_key())
        self.everybody: list[Caller] = []
        self.gone: list[Caller] = []

    @rule(begin=st.sampled_from((link, link, renewal, enrollment)))
    def come(self, begin: Begin) -> None:
        """Somebody connects."""
        self.everybody.append(Caller(*self.around.connect(begin)))

    @precondition(lambda self: self.everybody)
    @rule(message=messages)
    def say(self, message: Any) -> None:
        """It sends a message that is as it should be, for this conversation or another."""
        self.send(frame(message))

    @precondition(lambda self: self.everybody)
    @rule(good=st.booleans())
    def greet(self, good: bool) -> None:
        """It sends what a conversation begins with."""
        self.send(frame(Hello()) if good else framed(b"\x92\x01\xff"))

    @precondition(lambda self: self.everybody)
    @rule(renews=st.booleans(), good=st.booleans())
    def ask(self, renews: bool, good: bool) -> None:
        """It asks for a certificate."""
        request = self.request if good else self.request[:-1] + b"\x00"
        self.send(frame(Renew(request) if renews else Enroll(SECRET, request)))

    @precondition(lambda self: self.everybody)
    @rule(seed=st.integers(0, 2**32 - 1))
    def babble(self, seed: int) -> None:
        """It sends a message that is almost right."""
        self.send(framed(mutant(Random(seed))))

    @precondition(lambda self: self.everybody)
    @rule(data=st.binary(min_size=1, max_size=12))
    def splutter(self, data: bytes) -> None:
        """It sends bytes that are not even a frame."""
        self.send(data)

    @precondition(lambda self: self.everybody)
    @rule(message=messages, at=st.integers(1, 9))
    def hesitate(self, message: Any, at: int) -> None:
        """It sends the beginning of a frame; the rest goes before whatever comes next."""
        data = frame(message)
        self.send(data[:at])
        self.everybody[-1].unsent = data[at:]

    @precondition(lambda self: self.everybody)
    @rule(reads=st.booleans())
    def read(self, reads: bool) -> None:
        """It stops reading, or goes on."""
        connection = self.everybody[-1].connection
        if not self.everybody[-1].transport.disconnecting:
            (connection.resumeProducing if reads else connection.pauseProducing)()

    @rule(seconds=st.sampled_from((0.5, 5.0, 11.0, 70.0)))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.around.clock.advance(seconds)
        for caller in [one for one in self.everybody if one.transport.aborted]:
            self.lose(caller)

    @rule(slow=st.booleans())
    def take_time(self, slow: bool) -> None:
        """Storage becomes slow, or is done with all that waits."""
        self.around.slow = slow
        self.around.answer()

    @rule()
    def revoke(self) -> None:
        """The device is revoked."""
        for barred in tuple(self.around.watching):
            barred("the device was revoked")

    @precondition(lambda self: self.everybody)
    @rule()
    def go(self) -> None:
        """Its connection is lost."""
        self.lose(self.everybody[-1])

    @invariant()
    def ends_well(self) -> None:
        """Whoever is turned away is told why, once and last, and costs one line of the log at most."""
        for caller in (*self.everybody, *self.gone):
            said = caller.transport.said()
            closes = [message for message in said if isinstance(message, Close)]
            assert closes in ([], said[-1:]), said
            assert not closes or (closes[0].reason and caller.transport.disconnecting)
            lines = [line for line in self.around.lines if line.startswith(f"{caller.connection.address}:")]
            at_fault = bool(closes) and closes[0].code not in SILENT
            assert len(lines) <= 1, lines
            assert len(lines) == 1 or not at_fault or len(self.around.lines) >= LINES, said

    @invariant()
    def nothing_fails(self) -> None:
        """No request came to an end that nobody foresaw."""
        assert not any(line.startswith(("A request of", "Not sent")) for line in self.around.lines), self.around.lines

    def teardown(self) -> None:
        """When all are gone, nothing is left of them."""
        self.around.answer()
        while self.everybody:
            self.go()
        assert self.around.clock.getDelayedCalls() == []
        assert self.around.watching == []
        assert len(self.around.factory.strangers) == 0

    def lose(self, caller: Caller) -> None:
        """Its connection is no more."""
        self.everybody.remove(caller)
        self.around.lose(caller.connection)
        self.gone.append(caller)

    def send(self, data: bytes) -> None:
        """The one in the foreground sends ``data``."""
        caller = self.everybody[-1]
        data, caller.unsent = caller.unsent + data, b""
        caller.connection.dataReceived(data)


class StatefulTests(SynchronousTestCase):
    """Any conversation with any peer."""

    def test_any_order(self) -> None:
        """A connection goes on, or ends with a reason for the peer and a line for the owner, whatever was said when."""
        run_state_machine_as_test(Callers)
        self.assertEqual(self.flushLoggedErrors(), [])
