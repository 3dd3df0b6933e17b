"""How the application fares, in the one state and the few words that its server shows."""

from __future__ import annotations

from collections.abc import Callable

from iotcenter.model import MAX_TEXT, AppState
from iotdevice.errors import printable

GRAVITY = (AppState.RUNNING, AppState.FAILED, AppState.HUNG, AppState.MISSING)
"""The states, from good to bad: the application is as well as the worst of its parts."""


class Health:
    """The state of each part of the application; ``changed`` is called when the whole is another than before."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._parts: dict[str, tuple[AppState, str]] = {}

    @property
    def state(self) -> AppState:
        """The worst state of all."""
        return max((state for state, _ in self._parts.values()), key=GRAVITY.index, default=AppState.RUNNING)

    @property
    def detail(self) -> str:
        """What is wrong, in words."""
        return printable("; ".join(text for _, text in self._parts.values()), MAX_TEXT)

    def ails(self, part: str, state: AppState, text: str) -> None:
        """``part`` is in a bad state."""
        if self._parts.get(part) != (state, text):
            self._parts[part] = (state, text)
            self._changed()

    def well(self, part: str) -> None:
        """``part`` does what it should."""
        if self._parts.pop(part, None) is not None:
            self._changed()
