"""Delivery, the same at both ends: one message at a time until it is acknowledged, and each taken in once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from iotcenter.wire.udp.pace import Pace

FIRST_WAIT = 2.0
SPREAD = 0.5
RETRIES = 4
"""As in RFC 7252, section 4.8: seconds for the first answer, times 1 to 1.5 at random, doubling with each retry."""

MESSAGE_LIFETIME = 247.0
"""Seconds for which a message id may come again (RFC 7252, section 4.8.2)."""

REMEMBERED = 1024
"""Message ids that are remembered at most: what a device sends in that time at four messages a second."""

FORGOTTEN = 64
"""Of those, how many of the oldest go at once where there are so many: to look for one each time would cost more."""

WAITING = 64
"""Messages that wait for their turn at most: more than commands may be under way."""

MASK = 0xFFFF


class Parcel(NamedTuple):
    """A message on its way: its kind and body, and by what its sender knows it."""

    kind: int
    body: bytes
    token: Any = None


class Waiting:
    """What was sent and waits for its answer: how often it was sent, and when it is ``due`` to be sent again."""

    def __init__(self, wait: float, now: float) -> None:
        self.tries = 1
        self.due = now + wait
        self._wait = wait

    def again(self, now: float) -> None:
        """It is sent once more; the next wait is twice as long."""
        self.tries += 1
        self._wait *= 2
        self.due = now + self._wait


class Flight(Waiting):
    """A parcel that was sent."""

    def __init__(self, parcel: Parcel, message_id: int, wait: float, now: float) -> None:
        super().__init__(wait, now)
        self.parcel = parcel
        self.message_id = message_id
        self.sent = now


class Sender:
    """Sends parcels one after the other: the next when the last is acknowledged, or given up.

    ``random`` gives 0 to 1. A ``pace`` learns how soon to send again; without one it is as in RFC 7252.
    """

    def __init__(self, random: Callable[[], float], pace: Pace | None = None) -> None:
        self.flight: Flight | None = None
        self.waiting: deque[Parcel] = deque()
        self._random = random
        self._pace = pace
        self._last_id = int(random() * MASK)

    def __len__(self) -> int:
        return len(self.waiting) + (self.flight is not None)

    @property
    def due(self) -> float | None:
        """When what is on its way is to be sent again, or given up."""
        return None if self.flight is None else self.flight.due

    def put(self, parcel: Parcel) -> bool:
        """Take a parcel; whether there is room for it."""
        if len(self.waiting) >= WAITING:
            return False
        self.waiting.append(parcel)
        return True

    def fresh_id(self) -> int:
        """The next message id."""
        self._last_id = self._last_id + 1 & MASK
        return self._last_id

    def next(self, now: float) -> Flight | None:
        """What is to be sent now: the next parcel, or the last once more."""
        if self.flight is None:
            if not self.waiting:
                return None
            first = FIRST_WAIT if self._pace is None else self._pace.wait
            wait = first * (1 + SPREAD * self._random())
            self.flight = Flight(self.waiting.popleft(), self.fresh_id(), wait, now)
            return self.flight
        if now < self.flight.due or self.flight.tries > RETRIES:
            return None
        self.flight.again(now)
        return self.flight

    def acknowledged(self, message_id: int, now: float) -> Parcel | None:
        """The parcel that arrived; None where that id is not on its way."""
        flight = self.flight
        if flight is None or flight.message_id != message_id:
            return None
        self.flight = None
        if self._pace is not None:
            self._pace.answered(now - flight.sent, flight.tries)
        return flight.parcel

    def given_up(self, now: float) -> Parcel | None:
        """The parcel for which all tries have failed, taken out."""
        if self.flight is None or self.flight.tries <= RETRIES or now < self.flight.due:
            return None
        parcel, self.flight = self.flight.parcel, None
        return parcel

    def drop(self, unwanted: Callable[[Parcel], bool]) -> None:
        """Take out what waits for its turn and is not wanted any more."""
        self.waiting = deque(parcel for parcel in self.waiting if not unwanted(parcel))

    def clear(self) -> list[Parcel]:
        """Take everything out that has not arrived, in order."""
        parcels = [self.flight.parcel] if self.flight is not None else []
        parcels += self.waiting
        self.flight = None
        self.waiting.clear()
        return parcels


class Inbox:
    """Which confirmable messages came, and how they were answered.

    An answer is the body of the acknowledgement; None says that there is none yet.
    """

    __slots__ = ("_came", "_forget_at", "_unusual")

    def __init__(self) -> None:
        self._came: dict[int, float] = {}  # oldest first
        self._unusual: dict[int, bytes | None] = {}  # what is not answered with an empty body, as nearly all are
        self._forget_at = 0.0

    def take(self, message_id: int, now: float) -> bool:
        """Whether the message is new. Those of which the ids have had their time are forgotten."""
        came = self._came
        if now >= self._forget_at or len(came) >= REMEMBERED:
            self._forget_old(now)
        if message_id in came:
            return False
        came[message_id] = now
        self._unusual[message_id] = None
        return True

    def answer(self, message_id: int) -> bytes | None:
        """What a message that came before was answered with."""
        return self._unusual.get(message_id, b"") if message_id in self._came else None

    def answered(self, message_id: int, body: bytes) -> None:
        """The message was dealt with."""
        if not body:
            self._unusual.pop(message_id, None)
        elif message_id in self._came:
            self._unusual[message_id] = body

    def forget(self, message_id: int) -> None:
        """The message could not be dealt with: it counts as new when it comes again."""
        self._came.pop(message_id, None)
        self._unusual.pop(message_id, None)

    def _forget_old(self, now: float) -> None:
        surplus = FORGOTTEN if len(self._came) >= REMEMBERED else 0
        old: list[int] = []
        for message_id, came in self._came.items():
            if len(old) >= surplus and now - came < MESSAGE_LIFETIME:
                break
            old.append(message_id)
        for message_id in old:
            self.forget(message_id)
        self._forget_at = next(iter(self._came.values()), now) + MESSAGE_LIFETIME
