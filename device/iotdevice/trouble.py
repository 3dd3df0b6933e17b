"""Saying once what goes wrong again and again."""

from __future__ import annotations

import math

AGAIN = 3600.0
"""Seconds after which an error that goes on is said again: a log that nobody reads need not fill, one that is read
shows it."""

MAX_KINDS = 20
"""How many different errors of one thing are told apart: texts with a changing number in them must not pile up."""


class Trouble:
    """The errors of one thing, a sensor say. Time is the caller's."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._said: dict[str, float] = {}
        self._unsaid = 0
        self._failures = 0
        self._told = False

    def failed(self, error: str, now: float) -> str | None:
        """It failed with ``error``: the line to log, None where that was said within the last hour."""
        self._failures += 1
        if now - self._said.get(error, -math.inf) < AGAIN or len(self._said) >= MAX_KINDS:
            self._unsaid += 1
            self._forget(now)
            return None
        self._said[error] = now
        self._told = True
        unsaid, self._unsaid = self._unsaid, 0
        return f"{self._name}: {error}" + (f" ({unsaid} more failures since the last line)" if unsaid else "")

    def worked(self) -> str | None:
        """It worked: the line to log where the log says that it does not."""
        failures, self._failures = self._failures, 0
        told, self._told = self._told, False
        return f"{self._name} works again, after {failures} failure{'s' if failures > 1 else ''}" if told else None

    def _forget(self, now: float) -> None:
        self._said = {error: said for error, said in self._said.items() if now - said < AGAIN}
