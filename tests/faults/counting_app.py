"""The application of the devices that are killed, or whose server is: it counts, and keeps books of its own.

Each number is written down before it is reported, and each acknowledgement when it comes: so the books say what was
made and what was promised, whenever the process dies.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from iotdevice import App, pauses
from iotdevice.window import Key, Window
from tests.faults.journal import FOLDER, PACE, SERIES, Journal, JournalWriter

RATE = float(os.environ.get(PACE, "200"))
"""Readings a second."""

pauses.GOOD_LINK = (
    0.0  # a server that is killed every other second is looked for as if that happened for the first time
)


class Producer:
    """Makes numbers at a steady rate, from the one after the last in the journal on."""

    def __init__(self, report: Callable[[str, int], None], journal: JournalWriter, last: int) -> None:
        self.last = last
        self._report = report
        self._journal = journal
        self._first = last
        self._began: float | None = None
        self._stopped = False

    def produce(self) -> None:
        """Make the numbers that are due."""
        now = time.monotonic()
        if self._began is None:
            self._began = now
        while not self._stopped and self.last - self._first < (now - self._began) * RATE:
            self.last += 1
            self._journal.made(self.last)
            self._report(SERIES, self.last)

    def stop(self) -> int:
        """Make no more; the answer is the last number."""
        self._stopped = True
        return self.last


def spy_on(name: str, note: Callable[..., None]) -> None:
    """Have ``note`` called with the arguments of each call of a method of the window, which all acknowledgements
    pass."""
    method = getattr(Window, name)

    def noted(window: Window, *arguments: object) -> None:
        note(*arguments)
        method(window, *arguments)

    setattr(Window, name, noted)


app = App()
books = Journal(Path(os.environ[FOLDER]))
journal = JournalWriter(books.folder)
producer = Producer(app.report, journal, max(books.numbers(), default=0))


def taken_back(key: Key | None = None) -> None:
    """Readings in flight are to be sent again: all of them, without a ``key``, where the link is lost."""
    if key is None:
        journal.lost_link()


spy_on("acknowledge", journal.acknowledged)
spy_on("take_back", taken_back)


@app.sensor(every=0.05)
async def counting() -> None:
    """Measures nothing itself: its numbers are reported as values that come by themselves."""
    producer.produce()


@app.command()
async def say(word: str) -> str:
    """Answer with a word."""
    return word


@app.command()
async def stop() -> int:
    """Make no more numbers; the answer is the last."""
    return producer.stop()
