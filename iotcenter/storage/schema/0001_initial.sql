-- Times are Unix milliseconds. Devices are known by their id: 32 hexadecimal digits that never change.

CREATE TABLE device (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    transport TEXT NOT NULL,
    created INTEGER NOT NULL,
    revoked INTEGER NOT NULL DEFAULT 0,
    key BLOB,                               -- SHA-256 of the public key; NULL until the device has enrolled
    certificate_expires INTEGER,
    last_seen INTEGER,
    address TEXT NOT NULL DEFAULT '',
    agent TEXT NOT NULL DEFAULT '',
    offer BLOB                              -- its series and commands, as it told them last (MessagePack)
);

-- One row of readings of one device: a number for each name, so that a reading costs few bytes.
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    device TEXT NOT NULL REFERENCES device ON DELETE CASCADE,
    name TEXT NOT NULL,
    UNIQUE (device, name)
);

-- A value's storage class tells what it is: REAL a number, INTEGER a truth value, TEXT a text; hence no affinity.
-- No foreign key, which would cost every insert a look-up: the trigger below keeps readings from outliving their series.
CREATE TABLE reading (
    series INTEGER NOT NULL,
    time INTEGER NOT NULL,
    boot INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    value NOT NULL,
    PRIMARY KEY (series, time, boot, sequence)
) WITHOUT ROWID;

CREATE TRIGGER series_gone AFTER DELETE ON series BEGIN
    DELETE FROM reading WHERE series = OLD.id;
END;

-- Which sequence numbers of a boot have come: up to high, but for the gaps. It makes a repeated report harmless.
CREATE TABLE progress (
    device TEXT NOT NULL REFERENCES device ON DELETE CASCADE,
    boot INTEGER NOT NULL,
    high INTEGER NOT NULL,
    gaps BLOB NOT NULL,
    changed INTEGER NOT NULL,
    PRIMARY KEY (device, boot)
) WITHOUT ROWID;

CREATE TABLE account (
    device TEXT PRIMARY KEY REFERENCES device ON DELETE CASCADE,
    received INTEGER NOT NULL DEFAULT 0,
    duplicates INTEGER NOT NULL DEFAULT 0,
    late INTEGER NOT NULL DEFAULT 0,
    lost INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- The device remembers ids that it has run, so none is ever given twice.
CREATE TABLE command (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    device TEXT NOT NULL REFERENCES device ON DELETE CASCADE,
    name TEXT NOT NULL,
    args TEXT NOT NULL,                     -- JSON
    actor TEXT NOT NULL,
    created INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    state TEXT NOT NULL,
    result TEXT,                            -- JSON
    error TEXT
);
CREATE INDEX command_of_device ON command (device, id);
CREATE INDEX command_pending ON command (device) WHERE state IN ('queued', 'sent', 'received');

-- Lines are numbered within their device, so that the oldest are found by counting back from the newest.
CREATE TABLE log (
    device TEXT NOT NULL REFERENCES device ON DELETE CASCADE,
    id INTEGER NOT NULL,
    time INTEGER NOT NULL,
    level INTEGER NOT NULL,                 -- its rank
    text TEXT NOT NULL,
    PRIMARY KEY (device, id)
) WITHOUT ROWID;

CREATE TABLE user (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    created INTEGER NOT NULL,
    time_zone TEXT NOT NULL
) WITHOUT ROWID;

-- Of secrets only the SHA-256 is kept.
CREATE TABLE session (
    hash BLOB PRIMARY KEY,
    user TEXT NOT NULL REFERENCES user ON DELETE CASCADE,
    created INTEGER NOT NULL,
    last_used INTEGER NOT NULL,
    expires INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX session_of_user ON session (user, last_used);

CREATE TABLE token (
    name TEXT PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    role TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER,
    last_used INTEGER
) WITHOUT ROWID;

CREATE TABLE enrollment (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    hash BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    device TEXT REFERENCES device ON DELETE CASCADE,    -- NULL while the name is new
    actor TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    used INTEGER
);
CREATE INDEX enrollment_of_device ON enrollment (device);

-- Secrets of which there is one of a kind, such as the setup link's.
CREATE TABLE secret (
    kind TEXT PRIMARY KEY,
    hash BLOB NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL
) WITHOUT ROWID;
