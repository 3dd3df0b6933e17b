"""How much all clients together may send ahead."""

from __future__ import annotations

import struct
from typing import Any, cast

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.center.tunnels import MOST, Opener
from iotcenter.gateway.channels import Channels
from iotcenter.gateway.numbers import Message
from iotcenter.gateway.packets import number
from iotcenter.gateway.userauth import Guest
from iotcenter.gateway.windows import LARGEST, LEAST, TOGETHER, Windows
from tests.faults.guests import Answering
from tests.gateway.strangers import Quiet, opening


class WindowTests(SynchronousTestCase):
    """The windows of many channels."""

    def setUp(self) -> None:
        """Nobody has one."""
        self.windows = Windows()

    def test_bound(self) -> None:
        """The first have all that they can use; as many tunnels as there may be hold no more than all may together,
        besides the least that each of them has."""
        given = [self.windows.take() for _ in range(MOST)]
        self.assertEqual(given[:10], [LARGEST] * 10)
        self.assertEqual(min(given), LEAST)
        self.assertLessEqual(sum(given), TOGETHER + MOST * LEAST)

    def test_given_back(self) -> None:
        """When channels go, others have their room."""
        for window in [self.windows.take() for _ in range(MOST)]:
            self.windows.give_back(window)
        self.assertEqual(self.windows.take(), LARGEST)


class LeftBehindTests(SynchronousTestCase):
    """A guest opens channels to a device that does not read, and closes them."""

    def setUp(self) -> None:
        """The guest has signed in."""
        self.tunnels, self.transport = Answering(), Quiet()
        self.channels = Channels(Guest("ann", b"", "UTC"), cast(Any, self.tunnels), Opener("ann", "test"), Windows())
        self.channels.transport = cast(Any, self.transport)
        self.addCleanup(self.channels.serviceStopped)

    def window(self) -> int:
        """How much may be sent ahead over the next channel, which is closed at once."""
        self.channels.packetReceived(Message.CHANNEL_OPEN, opening())
        confirmation = dict(self.transport.sent)[Message.CHANNEL_OPEN_CONFIRMATION]
        _, id, window, _ = struct.unpack(">IIII", confirmation)
        self.channels.packetReceived(Message.CHANNEL_CLOSE, number(id))
        return int(window)

    def test_still_under_way(self) -> None:
        """What came by a channel counts until the device has it, or is gone: then others have its room."""
        self.assertEqual(self.window(), LARGEST)
        given = [self.window() for _ in range(MOST)]
        self.assertEqual(given[-1], LEAST)
        for session in self.tunnels.sessions:
            assert session.joint is not None
            session.joint.far.lost("the device has read it all")
        self.assertEqual(self.window(), LARGEST)
