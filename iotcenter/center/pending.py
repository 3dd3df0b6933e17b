"""A command that something can still happen to."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from iotcenter.center.known import KnownDevice
from iotcenter.model import Command


class PendingCommand:
    """A command under way: its record as it stands, the arguments as the device gets them, and who waits for the end of
    it."""

    def __init__(self, device: KnownDevice, command: Command, args: dict[str, Any]) -> None:
        self.device = device
        self.command = command
        self.args = args
        self.timer: Any = None
        self.waiters: list[Deferred[None]] = []

    def stop(self) -> None:
        """Let go of the timer."""
        if self.timer is not None and self.timer.active():
            self.timer.cancel()
        self.timer = None

    def release(self, waiter: Deferred[None]) -> None:
        """Let somebody wait no longer."""
        if waiter in self.waiters:
            self.waiters.remove(waiter)
            waiter.callback(None)

    def end(self) -> None:
        """Nothing more will happen: tell those who wait."""
        self.stop()
        for waiter in tuple(self.waiters):
            self.release(waiter)
