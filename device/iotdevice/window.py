"""Which readings are on their way to the server, and which it has: no sockets, no clock, no disk."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from iotcenter.model import Value

REPORTS = 32
"""How many reports may wait for their acknowledgement: they fill a link of 1 s delay with 6,400 readings a second."""

READINGS = 200
"""How many readings one report carries at most: some 6 kB, a second's worth on a slow modem."""

Key = tuple[int, int]
"""What a reading is known by: the agent's boot, and the reading's sequence number in it. Later readings have greater
keys."""

START: Key = (0, 0)
"""Before all readings."""


class Row(NamedTuple):
    """A reading in the spool. ``at`` is the time on the agent's steady clock, whatever the wall clock said."""

    boot: int
    sequence: int
    name: str
    value: Value
    at: float

    @property
    def key(self) -> Key:
        """What the reading is known by."""
        return self.boot, self.sequence


def first_run(rows: Sequence[Row], most: int = READINGS) -> Sequence[Row]:
    """The longest beginning of ``rows`` that one report can carry: consecutive numbers of one boot."""
    for count, row in enumerate(rows[:most]):
        if row.key != (rows[0].boot, rows[0].sequence + count):
            return rows[:count]
    return rows[:most]


class Window:
    """The reports in flight, in order.

    ``sent`` is the last reading that was ever put in, ``done`` the last before the oldest that waits for its
    acknowledgement: up to there the server has everything.
    """

    def __init__(self) -> None:
        self._flights: OrderedDict[Key, tuple[Key, bool]] = OrderedDict()
        self._sent = START
        self._done = START

    @property
    def sent(self) -> Key:
        """The last reading that is on its way, or there."""
        return self._sent

    @property
    def done(self) -> Key:
        """The reading up to which the server has all."""
        return self._done

    @property
    def room(self) -> bool:
        """Whether another report may be sent."""
        return len(self._flights) < REPORTS

    def put(self, rows: Sequence[Row]) -> None:
        """A report with ``rows`` goes out; they follow all that went before."""
        assert rows[0].key > self._sent
        self._flights[rows[0].key] = rows[-1].key, False
        self._sent = rows[-1].key

    def acknowledge(self, boot: int, sequence: int, count: int) -> None:
        """The server has ``count`` readings from ``sequence`` on. It acknowledges whole reports, any number of them at
        once."""
        for first, (last, _) in self._flights.items():
            if first[0] == boot and sequence <= first[1] and last[1] < sequence + count:
                self._flights[first] = last, True
        while self._flights and next(iter(self._flights.values()))[1]:
            _, (self._done, _) = self._flights.popitem(last=False)

    def take_back(self, key: Key = START) -> None:
        """The reports from the reading ``key`` on were not stored, or nobody knows: they are to be sent again."""
        while self._flights and next(reversed(self._flights)) >= key:
            self._flights.popitem()
        self._sent = next(reversed(self._flights.values()))[0] if self._flights else self._done

    def skip_to(self, key: Key) -> None:
        """There are no readings between ``sent`` and after ``key``."""
        self._sent = max(self._sent, key)
        if not self._flights:
            self._done = self._sent
