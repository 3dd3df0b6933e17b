"""What the command line prints: tables for people, plain lines for pipes, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Row = Sequence[object]

UNITS = ((2 * 86400, 86400, "days"), (2 * 3600, 3600, "h"), (2 * 60, 60, "min"), (0, 1, "s"))
"""How ages are said: from how many seconds on, how many make one, and what they are called."""


@dataclass(frozen=True)
class Answer:
    """What a command has to say: ``data`` for programs, what ``show`` prints for people, and the exit status."""

    data: Any
    show: Callable[[], None]
    status: int = 0

    def give(self, as_json: bool) -> int:
        """Print it; the exit status."""
        if as_json:
            print(json.dumps(self.data, indent=2))
        else:
            self.show()
        return self.status


def say(text: str) -> Callable[[], None]:
    """Prints one line of text."""
    return lambda: print(plain(text))


def table(titles: Sequence[str], rows: Iterable[Row], empty: str) -> Callable[[], None]:
    """Prints rows: a table on a terminal, otherwise lines without titles and with tabs between the cells.

    ``empty`` is what to say to a person where there are no rows.
    """
    cells = [[plain(cell) for cell in row] for row in rows]

    def show() -> None:
        if not sys.stdout.isatty():
            print(*("\t".join(row) for row in cells), sep="\n", end="\n" if cells else "")
        elif cells:
            _draw(titles, cells)
        else:
            print(empty)

    return show


def facts(pairs: Iterable[tuple[str, object]]) -> Callable[[], None]:
    """Prints what is known of one thing, a line each. What is None or empty is left out."""
    lines = [(name, plain(value)) for name, value in pairs if value not in (None, "")]
    width = max((len(name) for name, _ in lines), default=0)
    return lambda: print(*(f"{name:<{width}}  {value}" for name, value in lines), sep="\n")


def plain(value: object) -> str:
    """A value as text that does nothing to a terminal: devices write what they like into logs, results and values."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def moment(time: float | None) -> str:
    """A time in the zone of this machine, with its offset."""
    if time is None:
        return ""
    return datetime.fromtimestamp(time).astimezone().isoformat(sep=" ", timespec="seconds")


def age(time: float | None, now: float) -> str:
    """How long ago something was."""
    return "never" if time is None else f"{length(max(0.0, now - time))} ago"


def length(seconds: float) -> str:
    """A length of time."""
    _, size, name = next(unit for unit in UNITS if seconds >= unit[0])
    return f"{int(seconds) // size} {name}"


def size(count: float) -> str:
    """How many bytes, in the unit that gives the fewest digits."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def _draw(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    # Imported here: rich takes longer than everything else together, and pipes do without it.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawing = Table(*titles, box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="")
    for row in rows:
        drawing.add_row(*(Text(cell) for cell in row))
    Console().print(drawing)
