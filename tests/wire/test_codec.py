"""Messages to bytes and back, and what hostile bytes come to."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.model import LARGEST, Message, Reading
from iotcenter.wire.codec import BadReading, DamagedReport, decode, encode
from iotcenter.wire.errors import WireError
from iotcenter.wire.messages import Hello, Ping, Report
from tests.wire.strategies import messages, plain

pack = msgspec.msgpack.encode


class MessagesTests(SynchronousTestCase):
    """What is sent is what arrives."""

    @given(messages)
    def test_every_message_comes_back(self, message: Message) -> None:
        """A message that was encoded decodes to itself."""
        self.assertEqual(decode(encode(message)), message)

    def test_unknown_trailing_fields_are_ignored(self) -> None:
        """A newer peer may send fields that this version does not know."""
        self.assertEqual(decode(pack([12, "new", {"and": "newer"}])), Ping())
        self.assertEqual(
            decode(pack([3, 1, 7, [["t", 21.5, 0.0, "new"]], 0.0, "new"])),
            Report(1, 7, (Reading("t", 21.5),)),
        )

    def test_fields_left_out_take_their_defaults(self) -> None:
        """An older peer may leave out fields at the end."""
        self.assertEqual(decode(pack([1])), Hello())
        self.assertEqual(decode(pack([3, 1, 7, [["t", 21.5]]])), Report(1, 7, (Reading("t", 21.5),)))

    def test_a_whole_number_is_a_number(self) -> None:
        """Devices that write 21 for 21.0 are understood, and true stays a truth value."""
        report = decode(pack([3, 0, 1, [["t", 21], ["open", True], ["state", "ajar"]]]))
        self.assertEqual([reading.value for reading in report.readings], [21.0, True, "ajar"])
        self.assertIsInstance(report.readings[0].value, float)
        self.assertIs(report.readings[1].value, True)


class HostileTests(SynchronousTestCase):
    """Nothing but ``WireError`` comes out."""

    def refused(self, data: bytes) -> str:
        """What is said of ``data``, which must be refused."""
        return str(self.assertRaises(WireError, decode, data))

    @given(st.binary(max_size=200))
    def test_any_bytes(self, data: bytes) -> None:
        """Any bytes are a message or a ``WireError``."""
        try:
            self.assertIsInstance(decode(data), Message)
        except WireError as error:
            self.assertTrue(str(error))

    @given(st.lists(plain, max_size=6))
    def test_any_structure(self, value: list[Any]) -> None:
        """Any MessagePack is a message or a ``WireError``."""
        for kind in range(17):
            try:
                self.assertIsInstance(decode(pack([kind, *value])), Message)
            except WireError as error:
                self.assertTrue(str(error))

    @given(messages, st.data())
    def test_truncated(self, message: Message, data: st.DataObject) -> None:
        """A message that was cut anywhere is refused, unless what is left has all that it needs: it never has."""
        whole = encode(message)
        cut = data.draw(st.integers(0, len(whole) - 1))
        self.refused(whole[:cut])

    @given(messages, st.data())
    def test_one_byte_changed(self, message: Message, data: st.DataObject) -> None:
        """A message with one byte changed is another message or a ``WireError``."""
        damaged = bytearray(encode(message))
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
        with contextlib.suppress(WireError):
            decode(bytes(damaged))

    def test_nesting_bombs(self) -> None:
        """Deep nesting is refused, whether the field takes anything, is unknown, or should be something else."""
        for bomb in (b"\x91" * 200_000, b"\x81\xa1x" * 100_000):
            for head in (
                b"\x93\x06\x01\xa1x",
                b"\x94\x07\x01\xa4done",
                b"\x92\x0c",
                b"\x92",
                b"\x94\x03\x01\x01",
                b"\x94\x06\x01\xa1x\x81\xa1x",
            ):
                self.refused(head + bomb)
        self.assertIn("nested", self.refused(b"\x94\x07\x01\xa4done" + b"\x91" * 200_000 + b"\xc0"))

    def test_lengths_that_lie(self) -> None:
        """A length of 2**32 - 1 asks for no memory."""
        for head in (
            b"\xdd\xff\xff\xff\xff",
            b"\x94\x03\x01\x01\xdd\xff\xff\xff\xff",
            b"\x92\x01\xdb\xff\xff\xff\xff",
            b"\x92\x0b\xc6\xff\xff\xff\xff",
        ):
            self.refused(head)

    def test_says_what_was_wrong(self) -> None:
        """The text names the place and the fault, for whoever writes a client."""
        self.assertIn("truncated", self.refused(b""))
        self.assertIn("Invalid value 99", self.refused(pack([99])))
        self.assertIn("`$[1]`", self.refused(pack([3, "boot", 1, [["t", 1.0]]])))
        self.assertIn("UTF-8", self.refused(b"\x92\x01\xa1\xff"))
        self.assertIn("trailing", self.refused(pack([12]) + b"\x00"))

    def test_too_many_or_too_long(self) -> None:
        """Counts and lengths have bounds."""
        self.refused(pack([3, 1, 1, [["t", 1.0]] * 1001]))
        self.refused(pack([3, 1, 1, []]))
        self.refused(pack([8, [[0.0, "info", "x"]] * 101]))
        self.refused(pack([8, [[0.0, "info", "x" * 5000]]]))
        self.refused(pack([1, "", 1, [{"name": "s"}] * 257]))


class DamagedReportTests(SynchronousTestCase):
    """One bad reading does not cost the others of its report."""

    def test_bad_readings_are_told_apart(self) -> None:
        """NaN, infinities, wrong types and names that are too long are refused one by one, with their place and
        reason."""
        parts: list[Any] = [
            ["t", 1.0],
            ["t", float("nan")],
            ["t", float("inf")],
            ["t", None],
            ["t", [1]],
            ["n" * 65, 1.0],
            ["t", 1.0, 1e300],
            7,
            ["t", "x" * 256],
            ["t", 2.0],
        ]
        report = decode(pack([3, 5, 100, parts, 7.0]))
        self.assertIsInstance(report, DamagedReport)
        self.assertEqual((report.boot, report.sequence, report.count, report.time), (5, 100, 10, 7.0))
        self.assertEqual(report.good, ((0, Reading("t", 1.0)), (9, Reading("t", 2.0))))
        self.assertEqual([bad.offset for bad in report.bad], [1, 2, 3, 4, 5, 6, 7, 8])
        self.assertTrue(all(isinstance(bad, BadReading) and bad.reason for bad in report.bad))

    def test_the_rest_of_the_report_must_fit(self) -> None:
        """A report whose own fields are wrong is refused as a whole."""
        nan = ["t", float("nan")]
        for fields in (
            [3, -1, 1, [nan]],
            [3, 1, 0, [nan]],
            [3, 1, 1, [nan] * 1001],
            [3, 1, 1, "nan"],
            [3, 1, 1, [nan], "time"],
        ):
            self.assertRaises(WireError, decode, pack(fields))

    def test_the_largest_number_is_one(self) -> None:
        """Every finite double is a value."""
        for value in (LARGEST, -LARGEST, 5e-324, 0.0):
            self.assertEqual(decode(pack([3, 1, 1, [["t", value]]])).readings[0].value, value)
