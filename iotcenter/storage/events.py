"""Who did what, when."""

from __future__ import annotations

import sqlite3
from functools import partial

from msgspec import Struct
from twisted.internet.defer import Deferred

from iotcenter.model import FAR_FUTURE
from iotcenter.storage.database import Database
from iotcenter.storage.sql import Row, change, find_all, milliseconds, seconds, select

ADD = "INSERT INTO event (time, kind, actor, object, text, data) VALUES (?, ?, ?, ?, ?, ?)"
OF_KINDS = "SELECT kind, count(*) FROM event GROUP BY kind"
BUSIEST = "SELECT actor FROM event WHERE kind = ? GROUP BY actor ORDER BY count(*) DESC LIMIT 1"
PRUNE = "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE kind = ? AND actor = ? ORDER BY id LIMIT ?)"
RECENT = """
    SELECT id, time, kind, actor, object, text, data FROM event
    WHERE id < ?1 AND (?2 = '' OR kind = ?2) AND (?3 = '' OR actor = ?3) AND (?4 = '' OR object = ?4)
    AND time >= ?5 AND time < ?6 ORDER BY id DESC LIMIT ?7
"""

KEPT = 20_000
"""Events of each kind that are kept, some 4 MB: years of a small team's. Nobody who makes them on purpose fills the
disk, or pushes out those of another kind: commands, however many, leave it standing who signed in. Nor those of others:
whoever made most of a kind loses their oldest."""

LOOK_EVERY = 100
"""How many events come between two looks at how many there are, which reads all of a kind: so many more are kept."""

MOST_EVENTS = 1000
"""Events in one answer: more than a page shows."""

LAST_ID = 2**63 - 1


class EventRow(Struct, frozen=True):
    """Something that happened. ``actor`` did it, to ``object``; ``text`` says it to people, ``data`` (JSON) to
    programs."""

    id: int
    time: float
    kind: str
    actor: str
    object: str
    text: str
    data_json: str


class EventFilter(Struct, frozen=True):
    """Which events: those older than the one with the id ``before``, of one kind, actor or object; empty for any. And
    those from ``start`` up to ``end``, in Unix seconds."""

    before: int = LAST_ID
    kind: str = ""
    actor: str = ""
    object: str = ""
    start: float = -FAR_FUTURE
    end: float = FAR_FUTURE


class Events:
    """The table of events. Where there are too many of a kind, the oldest make way of whoever made most."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, event: EventRow) -> Deferred[None]:
        """Keep an event; its ``id`` is given here."""
        return self._database.write(partial(_add, event=event))

    def recent(self, limit: int, wanted: EventFilter) -> Deferred[tuple[EventRow, ...]]:
        """The newest events that fit, newest first."""
        span = milliseconds(wanted.start), milliseconds(wanted.end)
        parameters = (wanted.before, wanted.kind, wanted.actor, wanted.object, *span, min(limit, MOST_EVENTS))
        return self._database.scan(lambda connection: find_all(connection, _event, RECENT, *parameters))


def _add(connection: sqlite3.Connection, event: EventRow) -> None:
    what = (event.kind, event.actor, event.object, event.text, event.data_json)
    added = connection.execute(ADD, (milliseconds(event.time), *what)).lastrowid
    if added is not None and added % LOOK_EVERY == 0:
        _prune(connection)


def _prune(connection: sqlite3.Connection) -> None:
    for kind, count in select(connection, OF_KINDS):
        if count > KEPT:
            [(busiest,)] = select(connection, BUSIEST, kind)
            change(connection, PRUNE, kind, busiest, count - KEPT)


def _event(row: Row) -> EventRow:
    number, time, *rest = row
    return EventRow(number, seconds(time), *rest)
