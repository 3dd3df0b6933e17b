"""``iotcenter import``: brings what was measured before to the server, piece by piece."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from iotcenter.cli.api import Api
from iotcenter.cli.errors import CommandError, Refused
from iotcenter.cli.old_registrar import import_registrar, is_old_registrar
from iotcenter.cli.output import Answer, plain
from iotcenter.cli.sources import Line, Source, Unusable, open_source

PIECE = 1000
"""Rows that are sent at once, of one series: some ten milliseconds of work for the server."""

PIECE_BYTES = 40_000
"""Characters of values that are sent at once: a body may have 64 kB."""

MOST_GATHERED = 50_000
"""Rows that wait here for their piece to be full, in files where devices and series alternate: some 20 MB."""

SHOWN = 20
"""Rows that cannot be used of which the reason is printed; the rest is counted."""

Key = tuple[str, str | None]
"""A device, and a series of it, or None for its log."""


class Import:
    """One file on its way to the server, and what became of its rows."""

    def __init__(self, api: Api, add_devices: bool, tell: Callable[[int], None]) -> None:
        self._api = api
        self._add_devices = add_devices
        self._tell = tell
        self._pieces: dict[Key, list[Line]] = {}
        self._sizes: dict[Key, int] = {}
        self._gathered = 0
        self.added = 0
        self.known = 0
        self.unusable: list[Unusable] = []
        self.unusable_count = 0

    def run(self, source: Source) -> None:
        """Send all rows of ``source``."""
        for row in source.rows():
            if isinstance(row, Unusable):
                self._give_up(row)
            else:
                self._gather(row)
            self._tell(row.number)
        for key in list(self._pieces):
            self._send(key)

    def answer(self) -> Answer:
        """What to say in the end; the status is 1 where nothing could be used."""
        refused = [{"row": row.number, "reason": row.reason} for row in self.unusable]
        data = {"added": self.added, "known": self.known, "unusable": self.unusable_count, "reasons": refused}
        failed = self.unusable_count > 0 and not self.added and not self.known
        return Answer(data, self._show, 1 if failed else 0)

    def _show(self) -> None:
        for row in self.unusable:
            print(f"row {row.number}: {plain(row.reason)}")
        if self.unusable_count > len(self.unusable):
            print(f"and {self.unusable_count - len(self.unusable)} more")
        print(f"{self.added} added, {self.known} were there already, {self.unusable_count} cannot be used")

    def _gather(self, line: Line) -> None:
        key = line.device, line.series
        piece = self._pieces.setdefault(key, [])
        piece.append(line)
        self._sizes[key] = self._sizes.get(key, 0) + 40 + (len(json.dumps(line.value)) if line.long else 0)
        self._gathered += 1
        if len(piece) >= PIECE or self._sizes[key] >= PIECE_BYTES:
            self._send(key)
        elif self._gathered >= MOST_GATHERED:
            for full in list(self._pieces):
                self._send(full)

    def _send(self, key: Key) -> None:
        piece = self._pieces.pop(key)
        self._sizes.pop(key)
        self._gathered -= len(piece)
        device, series = key
        body: dict[str, Any] = {"device": device, "add_device": self._add_devices}
        rows = [(line.time, line.value) for line in piece]
        try:
            if series is None:
                done = self._api.post("imports", "lines", body={**body, "lines": rows})
            else:
                done = self._api.post("imports", "readings", body={**body, "series": series, "readings": rows})
        except Refused as error:
            hint = "" if self._add_devices else " (--add-devices makes devices that there are not)"
            for line in piece:
                self._give_up(Unusable(line.number, f"{error}{hint if error.status == 404 else ''}"))
            return
        self.added += done["added"]
        self.known += done["known"]
        for refused in done["refused"]:
            self._give_up(Unusable(piece[refused["place"]].number, refused["reason"]))

    def _give_up(self, row: Unusable) -> None:
        self.unusable_count += 1
        if len(self.unusable) < SHOWN:
            self.unusable.append(row)


def run_import(api: Api, given: Namespace) -> Answer:
    """Take in readings from a CSV file or the database of IotCenter 1, or the devices of an old registrar's database.
    What is there already is not doubled."""
    if is_old_registrar(Path(given.file)):
        return import_registrar(api, Path(given.file))
    names = dict(_renaming(text) for text in given.rename)
    with open_source(Path(given.file), given.device, names) as source, _progress(source.count) as tell:
        importing = Import(api, given.add_devices, tell)
        importing.run(source)
    return importing.answer()


def _renaming(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not old or not equals or not new:
        raise CommandError(f"{text!r} is not of the form OLD=NEW")
    return old, new


@contextmanager
def _progress(count: int) -> Iterator[Callable[[int], None]]:
    """What is told how far the import is: a bar, where somebody looks."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    # Imported here: rich takes longer than everything else together, and pipes do without it.
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("Importing", total=count)
        yield lambda done: bar.update(task, completed=done) if done % 500 == 0 or done == count else None
