"""Whether a device can be reached, and whether it keeps to the rhythm that it announced."""

from __future__ import annotations

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


def in_words(seconds: float) -> str:
    """A length of time as people say it: ``45 s``, ``3 min``, ``2 h``, ``5 days``."""
    if seconds < 60:
        return f"{seconds:g} s" if seconds < 10 and seconds != int(seconds) else f"{int(seconds)} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min"
    if seconds < 2 * 86400:
        return f"{int(seconds // 3600)} h"
    return f"{int(seconds // 86400)} days"
