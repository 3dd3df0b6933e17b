"""Two streams joined to one: what comes from either side goes to the other, no faster than that one takes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

DRAIN_WITHIN = 60.0
"""Seconds that a side which is closed has to send what it has taken already; then it is cut off."""


class Side(Protocol):
    """One side of a joint: a channel, a tunnel's connection, a socket. It tells its ``Half`` what happens to it."""

    def write(self, data: bytes) -> None:
        """Send ``data``; it never blocks. A side that is full says so, and still takes what is on its way."""

    def finish(self) -> None:
        """Nothing more will be written; the other direction goes on."""

    def close(self) -> None:
        """End both directions, once all that was written is out."""

    def abort(self) -> None:
        """End both directions now."""

    def pause(self) -> None:
        """Read no more for now; what was read already still comes."""

    def resume(self) -> None:
        """Read again."""


class Half:
    """What a side tells of itself. ``count`` is how many bytes came from it, ``finished`` whether no more will,
    ``gone`` whether it is lost."""

    def __init__(self, joint: Joint, side: Side) -> None:
        self.count = 0
        self.finished = False
        self.gone = False
        self._joint = joint
        self._side = side
        self._other = self

    @property
    def over(self) -> bool:
        """Whether the joint has ended: nothing that is said here matters any more."""
        return self._joint.over

    def received(self, data: bytes) -> None:
        """Bytes came."""
        if not self._joint.over:
            self.count += len(data)
            self._other._side.write(data)

    def ended(self) -> None:
        """No more will come; the side still takes what is written."""
        if self.finished or self._joint.over:
            return
        self.finished = True
        self._other._side.finish()
        if self._other.finished:
            self._joint.end("it came to its end")

    def lost(self, reason: str) -> None:
        """The side is gone, with all that it had still to send."""
        self._joint.end(reason)
        if not self.gone:
            self.gone = True
            if self._other.gone:
                self._joint.released()

    def cut(self, reason: str) -> None:
        """The joint must end now."""
        self._joint.cut(reason)

    def full(self) -> None:
        """What was written waits: no more now."""
        if not self._joint.over:
            self._other._side.pause()

    def drained(self) -> None:
        """What was written is out."""
        if not self._joint.over:
            self._other._side.resume()


class Joint:
    """Joins ``near`` and ``far``. ``over`` turns true when it ends; then ``done`` is called, once, with the reason.

    ``released`` is called, once, when both sides are gone: until then, either may still hold what nobody reads.
    """

    def __init__(
        self, near: Side, far: Side, done: Callable[[str], None], released: Callable[[], None] = lambda: None
    ) -> None:
        self.over = False
        self.released = released
        self.near, self.far = Half(self, near), Half(self, far)
        self.near._other, self.far._other = self.far, self.near
        self._sides = near, far
        self._done = done

    @property
    def moved(self) -> int:
        """How many bytes went through, both ways together."""
        return self.near.count + self.far.count

    def end(self, reason: str) -> None:
        """End it in good order: what each side has taken still goes out."""
        if self._finish(reason):
            for side in self._sides:
                side.close()

    def cut(self, reason: str) -> None:
        """End it now."""
        if self._finish(reason):
            for side in self._sides:
                side.abort()

    def _finish(self, reason: str) -> bool:
        if self.over:
            return False
        self.over = True
        self._done(reason)
        return True
