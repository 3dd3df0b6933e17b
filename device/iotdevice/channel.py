"""What the parts of the agent see of a link: somewhere to send to, while it stands."""

from __future__ import annotations

from typing import Protocol

from iotcenter.model import Message


class Channel(Protocol):
    """A link that the server has taken in."""

    writable: bool
    """Whether the link takes more now; ``Speaker.writable`` is called when it does again. Answers may be sent all the
    same."""

    def send(self, message: Message) -> None:
        """Send ``message``. Never blocks and never raises; on a link that is gone it is dropped."""


class Speaker(Protocol):
    """A part of the agent that has something to say whenever there is a link."""

    def connected(self, channel: Channel) -> None:
        """The server took the device in: this is the way to it, until ``disconnected``."""

    def writable(self) -> None:
        """The channel takes more again."""

    def disconnected(self) -> None:
        """The channel is gone."""
