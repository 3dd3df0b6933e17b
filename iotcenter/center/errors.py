"""What the center says no to, in words for the person who asked."""

from __future__ import annotations


class UnknownDevice(LookupError):
    """There is no device of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no device named {name}")
        self.name = name


class UnknownCommand(LookupError):
    """The device offers no such command, or no command was given under that number."""


class DeviceOffline(Exception):
    """The device cannot be reached now, and the command was given no time to wait for it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is offline; give the command a lifetime to let it wait")
        self.name = name


class TooManyCommands(Exception):
    """More commands wait for the device than it will ever want to catch up with."""


class TunnelRefused(Exception):
    """No tunnel to the device can be opened; the text says why, and what can be done about it."""
