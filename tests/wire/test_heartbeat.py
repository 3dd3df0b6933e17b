"""Half-open links are found by either end."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.wire.heartbeat import DEFAULT_INTERVAL, Action, Heartbeat


class HeartbeatTests(SynchronousTestCase):
    """Silence is asked about, and then given up."""

    def test_a_vanished_peer_is_given_up_within_thirty_seconds(self) -> None:
        """With the default interval: one ping, then the end, before 30 s are over."""
        heartbeat, now, actions = Heartbeat(DEFAULT_INTERVAL, 0.0), 0.0, []
        action, delay = heartbeat.check(now)
        while action is not Action.GIVE_UP:
            actions.append(action)
            now += delay
            action, delay = heartbeat.check(now)
        self.assertEqual(actions, [Action.WAIT, Action.PING])
        self.assertLessEqual(now, 30.0)

    def test_an_answer_keeps_the_link(self) -> None:
        """A peer that answers each ping is never given up, and is asked once an interval."""
        heartbeat, now, pings = Heartbeat(10.0, 0.0), 0.0, 0
        while now < 1000:
            action, delay = heartbeat.check(now)
            self.assertIsNot(action, Action.GIVE_UP)
            if action is Action.PING:
                pings += 1
                heartbeat.heard(now + 0.1)
            now += delay
        self.assertLessEqual(pings, 100)
        self.assertGreaterEqual(pings, 50)

    def test_traffic_spares_the_ping(self) -> None:
        """Nobody asks a peer that talks."""
        heartbeat = Heartbeat(10.0, 0.0)
        for now in range(0, 100, 5):
            heartbeat.heard(float(now))
            self.assertIs(heartbeat.check(now + 4.0)[0], Action.WAIT)

    def test_one_ping_for_one_silence(self) -> None:
        """An early second look does not ask again."""
        heartbeat = Heartbeat(10.0, 0.0)
        self.assertIs(heartbeat.check(10.0)[0], Action.PING)
        self.assertEqual(heartbeat.check(11.0), (Action.WAIT, 14.0))
