"""Whether a device can be reached, and whether it keeps to the rhythm that it announced."""

from __future__ import annotations

from iotcenter.center.lengths import in_words
from iotcenter.model import PresenceState

LATE_AFTER = 3.0
"""How many of its own intervals a device may miss before it is late."""

AT_LEAST = 10.0
"""Seconds that every device may be silent: below that a busy link or a slow card would show as lateness."""


def judge(linked: bool, last_heard: float | None, every: float, now: float) -> tuple[PresenceState, str]:
    """The state of a device, and in words why it is not online.

    ``last_heard`` is when its last report came (or its link), ``every`` the shortest interval that it announced, 0 for
    none.
    """
    if not linked:
        if last_heard is None:
            return PresenceState.OFFLINE, "it has never been here"
        return PresenceState.OFFLINE, ""
    silence = now - (last_heard if last_heard is not None else now)
    if every > 0 and silence > max(LATE_AFTER * every, AT_LEAST):
        return PresenceState.LATE, f"no readings for {in_words(silence)}, expected every {in_words(every)}"
    return PresenceState.ONLINE, ""
