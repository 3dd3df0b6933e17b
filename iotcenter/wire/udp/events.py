"""What a session tells the transport that holds it."""

from __future__ import annotations

from typing import Any, NamedTuple

Address = tuple[Any, ...]
"""Where datagrams come from, as the socket has it."""


class Received(NamedTuple):
    """The device sent a message."""

    message: Any


class Delivered(NamedTuple):
    """The device has the command with that number."""

    command: int


class Undelivered(NamedTuple):
    """A sleepy device did not take these commands while it listened."""

    commands: tuple[int, ...]


class Listening(NamedTuple):
    """A sleepy device is about to be answered: what is put now follows on the answer."""


class Cold(NamedTuple):
    """The device cannot be reached, until its next record comes."""

    reason: str


class Malformed(NamedTuple):
    """The device, or whoever has its key, sent something that does not fit; it was dropped."""

    fault: str


Event = Received | Delivered | Undelivered | Listening | Cold | Malformed
