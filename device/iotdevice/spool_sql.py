"""What the spool says to SQLite.

``reading.at`` is steady time, and ``boot.offset`` makes wall time of it. A value is REAL for a number, INTEGER for a
truth value, TEXT for a text. ``command.answer`` is empty while the command runs.
"""

from __future__ import annotations

VERSION = 1

SETTINGS = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA wal_autocheckpoint = 256;
PRAGMA journal_size_limit = 1048576;
"""

SCHEMA = f"""
BEGIN;
CREATE TABLE fact (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE boot (number INTEGER PRIMARY KEY, machine TEXT NOT NULL, offset REAL NOT NULL);
CREATE TABLE reading (
    boot INTEGER NOT NULL, sequence INTEGER NOT NULL, name TEXT NOT NULL, value NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (boot, sequence)
) WITHOUT ROWID;
CREATE TABLE command (place INTEGER PRIMARY KEY AUTOINCREMENT, id INTEGER NOT NULL UNIQUE, answer BLOB);
PRAGMA user_version = {VERSION};
"""
"""It leaves its transaction open: whose spool it is belongs into the same."""

FACTS = "SELECT name, value FROM fact"
SET_FACT = "INSERT OR REPLACE INTO fact VALUES (?, ?)"
ADD_LOST = "INSERT INTO fact VALUES ('lost', ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value"

ADD_BOOT = "INSERT OR IGNORE INTO boot VALUES (?, ?, ?)"
MEND = "UPDATE boot SET offset = ? WHERE machine = ?"
SET_OFFSET = "UPDATE boot SET offset = ? WHERE number = ?"
BOOTS = """
SELECT number, machine, offset, (SELECT at FROM reading WHERE boot = number ORDER BY sequence DESC LIMIT 1)
FROM boot WHERE EXISTS (SELECT 1 FROM reading WHERE boot = number) ORDER BY number DESC
"""
DROP_UNUSED_BOOTS = "DELETE FROM boot WHERE NOT EXISTS (SELECT 1 FROM reading WHERE reading.boot = boot.number)"

ADD = "INSERT OR REPLACE INTO reading VALUES (?, ?, ?, ?, ?)"
LAST = "SELECT boot, sequence FROM reading ORDER BY boot DESC, sequence DESC LIMIT 1"
READ = """
SELECT r.boot, r.sequence, r.name, r.value, r.at + b.offset - ? FROM reading r CROSS JOIN boot b ON b.number = r.boot
WHERE (r.boot, r.sequence) > (?, ?) ORDER BY r.boot, r.sequence LIMIT ?
"""
FORGET = "DELETE FROM reading WHERE (boot, sequence) <= (?, ?)"
DROP = "DELETE FROM reading WHERE (boot, sequence) > (?, ?) AND (boot, sequence) <= (?, ?)"
OLDEST = "SELECT boot, sequence FROM reading WHERE (boot, sequence) > (?, ?) ORDER BY boot, sequence LIMIT 1 OFFSET ?"
TOO_OLD = """
SELECT r.boot, max(r.sequence) FROM reading r JOIN boot b ON b.number = r.boot
WHERE r.at + b.offset < ? GROUP BY r.boot ORDER BY r.boot DESC LIMIT 1
"""
COUNT = "SELECT count(*) FROM reading"

COMMANDS = "SELECT id, answer FROM command ORDER BY place"
REMEMBER = "INSERT OR IGNORE INTO command (id) VALUES (?)"
ANSWER = "UPDATE command SET answer = ? WHERE id = ?"
FORGET_COMMANDS = "DELETE FROM command WHERE place <= (SELECT max(place) FROM command) - ?"
