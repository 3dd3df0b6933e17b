"""Two streams joined to one."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.wire.joint import Joint


class Recorder:
    """A side that writes down what is done to it."""

    def __init__(self) -> None:
        self.done: list[object] = []

    def write(self, data: bytes) -> None:
        """See ``Side``."""
        self.done.append(data)

    def finish(self) -> None:
        """See ``Side``."""
        self.done.append("finish")

    def close(self) -> None:
        """See ``Side``."""
        self.done.append("close")

    def abort(self) -> None:
        """See ``Side``."""
        self.done.append("abort")

    def pause(self) -> None:
        """See ``Side``."""
        self.done.append("pause")

    def resume(self) -> None:
        """See ``Side``."""
        self.done.append("resume")


class JointTests(SynchronousTestCase):
    """What happens to one side is done to the other."""

    def setUp(self) -> None:
        """Join two."""
        self.near, self.far = Recorder(), Recorder()
        self.reasons: list[str] = []
        self.joint = Joint(self.near, self.far, self.reasons.append)

    def test_bytes(self) -> None:
        """They go across, and are counted."""
        self.joint.near.received(b"abc")
        self.joint.far.received(b"de")
        self.assertEqual((self.far.done, self.near.done), ([b"abc"], [b"de"]))
        self.assertEqual((self.joint.near.count, self.joint.far.count, self.joint.moved), (3, 2, 5))

    def test_backpressure(self) -> None:
        """A side that is full stops the other, until it is empty."""
        self.joint.far.full()
        self.joint.far.drained()
        self.assertEqual((self.near.done, self.far.done), (["pause", "resume"], []))

    def test_one_direction_ends_first(self) -> None:
        """The end of one direction goes across, and the other goes on; with both, all is closed, once."""
        self.joint.near.ended()
        self.joint.near.ended()
        self.joint.far.received(b"answer")
        self.assertEqual((self.far.done, self.near.done), (["finish"], [b"answer"]))
        self.joint.far.ended()
        self.assertEqual((self.far.done, self.near.done), (["finish", "close"], [b"answer", "finish", "close"]))
        self.assertEqual(self.reasons, ["it came to its end"])

    def test_a_side_is_lost(self) -> None:
        """The other still takes what was on its way, and is closed then."""
        self.joint.far.lost("the network is gone")
        self.assertEqual(self.near.done, ["close"])
        self.assertEqual(self.reasons, ["the network is gone"])

    def test_released(self) -> None:
        """It is over with the first side that is lost, and holds nothing any more with the second; it is told once."""
        released: list[bool] = []
        joint = Joint(self.near, self.far, self.reasons.append, lambda: released.append(joint.over))
        for _ in range(2):
            joint.near.lost("the client left")
        self.assertEqual((joint.over, released), (True, []))
        for _ in range(2):
            joint.far.lost("the device has it all")
        self.assertEqual(released, [True])

    def test_cut(self) -> None:
        """Both end now, and whatever they say afterwards goes nowhere."""
        self.joint.cut("that is enough")
        for half in (self.joint.near, self.joint.far):
            self.assertTrue(half.over)
            half.received(b"late")
            half.full()
            half.drained()
            half.ended()
            half.lost("gone")
        self.assertEqual((self.near.done, self.far.done), (["abort"], ["abort"]))
        self.assertEqual(self.reasons, ["that is enough"])
