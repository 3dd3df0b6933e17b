"""Tunnels: asked for, dialled back with an id that is good once and for ten seconds, and ended in time."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from iotcenter.center import tunnels
from iotcenter.center.errors import TunnelRefused
from iotcenter.center.tunnels import DIAL_WITHIN, LOOK_EVERY, MOST_REFUSALS, Opener, Session
from iotcenter.interfaces import Refused
from iotcenter.model import SshOffer
from iotcenter.wire.joint import Half
from iotcenter.wire.messages import Tunnel, TunnelAction
from tests.center.support import HELLO, CenterTestCase
from tests.wire.test_joint import Recorder

ANN = Opener("ann", "test")
WITH_SSH = replace(HELLO, ssh=SshOffer((22, 8081)))


class TunnelTests(CenterTestCase):
    """``kitchen-pi`` lets tunnels reach 22 and 8081."""

    async def setUp(self) -> None:  # type: ignore[override]
        """It is there."""
        await super().setUp()
        self.link, self.attachment = self.join(WITH_SSH)
        self.near, self.far = Recorder(), Recorder()
        self.joined: list[tuple[Session, Half]] = []
        self.ready = lambda session, half: self.joined.append((session, half))

    def open(self, name: str = "kitchen-pi", port: int = 22) -> Deferred[None]:
        """Ask for a tunnel."""
        return Deferred.fromCoroutine(self.center.tunnels.open(name, port, ANN, self.near, self.ready))

    def asked(self) -> Tunnel:
        """What the device was asked last."""
        return self.link.of(Tunnel)[-1]

    def refusal(self, opening: Deferred[None]) -> str:
        """Why it was refused."""
        failure: Failure = self.failureResultOf(opening, TunnelRefused)
        return failure.getErrorMessage()

    def test_joined(self) -> None:
        """The device is asked, dials back, and both ends are joined in the turn in which it does."""
        opening = self.open()
        self.assertEqual((self.asked().action, self.asked().port), (TunnelAction.OPEN, 22))
        far = self.center.meet(self.device, self.asked().id, self.far)()
        self.successResultOf(opening)
        [(session, near)] = self.joined
        far.received(b"from the device")
        near.received(b"to it")
        self.assertEqual((self.near.done, self.far.done), ([b"from the device"], [b"to it"]))
        self.assertEqual(session.bytes, (5, 15))
        self.assertEqual(self.center.tunnels.sessions("kitchen-pi"), (session,))

    def test_id_is_good_once(self) -> None:
        """A second connection with the same id is refused, and so is one with an id that nobody gave out."""
        self.open()
        self.center.meet(self.device, self.asked().id, self.far)()
        for id in (self.asked().id, b"x" * 16):
            self.assertRaises(Refused, self.center.meet, self.device, id, Recorder())

    def test_id_is_the_devices(self) -> None:
        """Another device cannot use it, and does not use it up."""
        self.open()
        self.assertRaises(Refused, self.center.meet, "f" * 32, self.asked().id, Recorder())
        self.center.meet(self.device, self.asked().id, self.far)()
        self.assertEqual(len(self.joined), 1)

    def test_ten_seconds(self) -> None:
        """A device that does not dial back in time is told to give up, and comes too late."""
        opening, id = self.open(), self.asked().id
        self.clock.advance(DIAL_WITHIN)
        self.assertIn("did not dial back within 10 s", self.refusal(opening))
        self.assertEqual((self.asked().id, self.asked().action), (id, TunnelAction.CLOSE))
        self.assertRaises(Refused, self.center.meet, self.device, id, Recorder())

    def test_given_up(self) -> None:
        """Who does not want it any more has it taken back."""
        opening = self.open()
        opening.cancel()
        self.failureResultOf(opening)
        self.assertEqual(self.asked().action, TunnelAction.CLOSE)
        self.assertRaises(Refused, self.center.meet, self.device, self.asked().id, Recorder())

    def test_device_refuses(self) -> None:
        """The device's own reason is passed on, as far as it is printable; another's answer counts for nothing."""
        opening = self.open()
        self.attachment.received(Tunnel(b"y" * 16, TunnelAction.CLOSE, 0, "not mine"))
        self.assertNoResult(opening)
        self.attachment.received(Tunnel(self.asked().id, TunnelAction.CLOSE, 0, "no sshd\x1b[2J\r\n"))
        self.assertEqual(self.refusal(opening), "no sshd[2J")

    def test_device_goes(self) -> None:
        """A device that goes while it is asked is not waited for."""
        opening = self.open()
        self.attachment.detached("gone")
        self.assertIn("has just gone offline", self.refusal(opening))
        self.assertIn("is offline since", self.refusal(self.open()))

    def test_refused_at_once(self) -> None:
        """What cannot be is not even asked for."""
        self.assertIn("none has that name", self.refusal(self.open("attic")))
        self.assertIn("its configuration allows 22, 8081", self.refusal(self.open(port=80)))
        self.assertEqual(self.link.of(Tunnel), [])

    def test_bounds(self) -> None:
        """So many to a device and no more; one that ends makes room."""
        self.patch(tunnels, "MOST_OF_DEVICE", 2)
        first, second = self.open(), self.open()
        self.assertIn("2 tunnels to kitchen-pi are open already", self.refusal(self.open()))
        first.cancel()
        self.failureResultOf(first)
        for opening in (second, self.open()):
            self.assertNoResult(opening)
            opening.cancel()
            self.failureResultOf(opening)

    def test_room_once_it_is_empty(self) -> None:
        """One that is over counts until both ends are gone: until then they may hold what nobody reads."""
        self.patch(tunnels, "MOST_OF_DEVICE", 1)
        self.open()
        far = self.center.meet(self.device, self.asked().id, self.far)()
        [(_, near)] = self.joined
        near.lost("the client left")
        self.assertEqual(self.center.tunnels.sessions(), ())
        self.assertIn("1 tunnels to kitchen-pi are open already", self.refusal(self.open()))
        far.lost("the device has it all")
        again = self.open()
        self.assertNoResult(again)
        again.cancel()
        self.failureResultOf(again)

    def test_idle(self) -> None:
        """One in which nothing moves for long enough is cut; one in which something does is not, until its life is
        over."""
        limits = self.center.tunnels._limits
        sessions = []
        for _ in range(2):
            self.open()
            far: Any = self.center.meet(self.device, self.asked().id, self.far)()
            sessions.append((self.joined[-1][0], far))
        (busy, far), (idle, _) = sessions
        ended: list[str] = []
        busy.ended = idle.ended = ended.append
        for _ in range(int(limits.idle / LOOK_EVERY) + 2):
            far.received(b"x")
            self.clock.advance(LOOK_EVERY)
        self.assertEqual(self.center.tunnels.sessions(), (busy,))
        for _ in range(int((limits.life - limits.idle) / LOOK_EVERY)):
            far.received(b"x")
            self.clock.advance(LOOK_EVERY)
        self.assertEqual(self.center.tunnels.sessions(), ())
        self.assertEqual(ended, ["nothing moved in it for 12 h", "a tunnel may be open for 7 days"])

    async def test_events(self) -> None:
        """Who opened what, for how long and with how many bytes is kept, and so is what was refused."""
        self.open()
        far = self.center.meet(self.device, self.asked().id, self.far)()
        far.received(b"abc")
        self.clock.advance(7)
        far.cut("that is enough")
        self.refusal(self.open(port=80))
        await self.store.devices.seen(self.device, self.clock.seconds(), "")  # which is written behind them
        refused, closed, opened = await self.center.events.recent()
        kinds = [one.kind for one in (opened, closed, refused)]
        self.assertEqual(kinds, ["tunnel.opened", "tunnel.closed", "tunnel.refused"])
        for event in (refused, closed, opened):
            self.assertEqual((event.actor, event.object), ("ann", "kitchen-pi"))
        self.assertEqual((closed.data["seconds"], closed.data["sent"], closed.data["received"]), (7.0, 0, 3))
        self.assertIn("that is enough", closed.text)

    async def test_flood_of_refusals(self) -> None:
        """Of those who are refused again and again so much is written down, and how many more there were."""
        for _ in range(MOST_REFUSALS + 5):
            self.refusal(self.open(port=80))
        self.clock.advance(60)
        self.refusal(self.open(port=80))
        await self.store.devices.seen(self.device, self.clock.seconds(), "")  # which is written behind them
        found = await self.center.events.recent(1000)
        self.assertEqual(len(found), MOST_REFUSALS + 1)
        self.assertIn("(5 more were not written down)", found[0].text)
