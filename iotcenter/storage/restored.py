"""What an older database must forget when it takes the place of a newer one.

What devices did since then they know, and the database does not. So no command's number is given a second time, since
devices do not run a number again that they remember; and nothing is carried out, or lets anybody in, twice.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from iotcenter.storage import connections
from iotcenter.storage.errors import driver_errors_in_words

COMMANDS_SINCE = 10_000_000
"""How many commands may have been given since the backup: one every three seconds for a year."""

END_COMMANDS = """
    UPDATE command SET state = 'failed', error = 'the server was restored from a backup: what became of it is not known'
    WHERE state IN ('queued', 'sent', 'received')
"""
LAST_COMMAND = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'command'"
FORGET_NUMBERS = "DELETE FROM sqlite_sequence WHERE name = 'command'"
SET_LAST_COMMAND = "INSERT INTO sqlite_sequence (name, seq) VALUES ('command', ?)"
END_SESSIONS = "DELETE FROM session"
FORGET_TOKENS = "DELETE FROM enrollment WHERE used IS NULL"
FORGET_SECRETS = "DELETE FROM secret"


def take_up_restored(path: Path) -> None:
    """Bring a database from a backup up to date, and have it forget. It blocks. Raises ``StorageError``."""
    connections.prepare(path)
    with driver_errors_in_words(), closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connections.as_writer(connection)
        connection.execute("BEGIN IMMEDIATE")
        [(last,)] = connection.execute(LAST_COMMAND)
        connection.execute(FORGET_NUMBERS)
        connection.execute(SET_LAST_COMMAND, (last + COMMANDS_SINCE,))
        for statement in (END_COMMANDS, END_SESSIONS, FORGET_TOKENS, FORGET_SECRETS):
            connection.execute(statement)
        connection.execute("COMMIT")
