"""``iotcenter display``: the newest values on a small console, kept up to date for as long as one likes."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from iotcenter.cli.api import Api
from iotcenter.cli.errors import CommandError, Refused
from iotcenter.cli.output import Answer, age, plain

if TYPE_CHECKING:
    from rich.console import Group

EVERY = 1.0
"""Seconds between two looks at the server: as often as its own pages change."""

MOST = 60
"""Values on one display: more than any console has lines for."""

STALE_AFTER, STALE_AT_LEAST = 3.0, 10.0
"""How many of its intervals a value may be overdue, and how many seconds at least, as on the pages."""

TRENDS = {"rising": "▲", "falling": "▼", "steady": "\N{EN DASH}"}

COLOURS = {
    "freezing": "bright_magenta",
    "cold": "bright_blue",
    "cool": "bright_cyan",
    "mild": "bright_green",
    "warm": "bright_yellow",
    "hot": "bright_red",
}

LOST = "The server does not answer: these values are old."
NOTHING = "There are no values yet."


@dataclass(frozen=True)
class Row:
    """One value. ``problem`` says why there is none."""

    device: str
    series: str
    label: str = ""
    unit: str = ""
    value: Any = None
    decimals: int | None = None
    time: float | None = None
    trend: str | None = None
    every: float = 0.0
    state: str = "offline"
    problem: str = ""

    def as_json(self) -> dict[str, Any]:
        """The shape of the API's readings, with what else is known."""
        names = ("device", "series", "label", "unit", "value", "time", "trend", "state", "problem")
        return {name: getattr(self, name) for name in names}

    def text(self) -> str:
        """The value as people write it."""
        # Imported here: with what it needs it takes as long as the rest of the command line.
        from iotcenter.web.pages.units import quantity

        return "\N{EN DASH}" if self.value is None else plain(str(quantity(self.value, self.unit, self.decimals)))

    def is_stale(self, now: float) -> bool:
        """Whether it says little about now."""
        if self.state == "offline" or self.time is None:
            return True
        return self.every > 0 and now - self.time > max(STALE_AFTER * self.every, STALE_AT_LEAST)


class Board:
    """What is on display: asks for it, and keeps what there was while the server is away."""

    def __init__(self, api: Api, keys: Sequence[str], now: Callable[[], float] = time.time) -> None:
        """``keys`` are ``DEVICE.SERIES``; without any, everything is shown that there is."""
        self._api = api
        self._keys = tuple(dict.fromkeys(keys))[:MOST]
        self._now = now
        self.rows: tuple[Row, ...] = ()
        self.lost = False

    def ask(self) -> None:
        """Take over the newest values. Raises ``CommandError`` where the server does not answer."""
        self.rows = tuple(self._wanted())[:MOST]

    def look(self) -> None:
        """The same for a display that goes on whatever happens."""
        try:
            self.ask()
            self.lost = False
        except CommandError:
            self.lost = True

    def _wanted(self) -> Iterator[Row]:
        if not self._keys:
            for device in self._api.get("devices"):
                yield from (_row(device, series) for series in device["series"])
            return
        devices = {name: self._device(name) for name in dict.fromkeys(key.partition(".")[0] for key in self._keys)}
        for key in self._keys:
            name, _, wanted = key.partition(".")
            yield _find(devices[name], name, wanted)

    def _device(self, name: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._api.get("devices", name)
            return found
        except Refused:
            return None

    def _said(self) -> str:
        """What there is to say below the values."""
        return LOST if self.lost else "" if self.rows else NOTHING

    def drawn(self) -> Group:
        """The display as a table for a terminal."""
        # Imported here: rich takes longer than everything else together, and pipes do without it.
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        from iotcenter.web.pages.warmth import warmth

        now = self._now()
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
        for row in self.rows:
            stale = self.lost or row.is_stale(now)
            style = "dim italic" if stale else f"bold {COLOURS.get(warmth(row.value, row.unit), '')}"
            shown = Text(row.problem, "dim") if row.problem else Text(row.text(), style)
            seen = "" if row.problem else age(row.time, now)
            label = Text(plain(row.label or row.series))
            table.add_row(Text(row.device), label, shown, TRENDS.get(row.trend or "", ""), Text(seen, "dim"))
        return Group(table, Text(self._said(), "italic"))


def display(api: Api, given: Namespace) -> Answer:
    """Show the newest values, and keep them up to date until Ctrl-C. Without arguments all that there are; with --json,
    or into a pipe, once."""
    board = Board(api, given.keys)
    board.ask()
    return Answer([row.as_json() for row in board.rows], lambda: _show(board))


def _show(board: Board, pause: Callable[[float], None] = time.sleep) -> None:
    if not sys.stdout.isatty():
        for row in board.rows:
            print(f"{row.device}.{row.series}", row.problem or row.text(), row.trend or "", sep="\t")
        return
    from rich.live import Live

    with Live(board.drawn(), auto_refresh=False, screen=True) as live:
        try:
            while True:
                pause(EVERY)
                board.look()
                live.update(board.drawn(), refresh=True)
        except KeyboardInterrupt:
            return


def _find(device: dict[str, Any] | None, name: str, wanted: str) -> Row:
    if device is None:
        return Row(name, wanted, problem="there is no such device")
    series = next((one for one in device["series"] if one["name"] == wanted), None)
    return Row(name, wanted, problem="it has no such value") if series is None else _row(device, series)


def _row(device: dict[str, Any], series: dict[str, Any]) -> Row:
    return Row(
        device["name"],
        series["name"],
        series["label"],
        series["unit"],
        series["value"],
        series["decimals"],
        series["time"],
        series["trend"],
        series["every"],
        device["state"],
    )
