-- What encrypted UDP needs of a device. Keys are sealed (iotcenter.identity.udp_keys): who has this file alone has none.
CREATE TABLE udp_key (
    device TEXT PRIMARY KEY REFERENCES device ON DELETE CASCADE,
    sealed BLOB NOT NULL,
    version1 INTEGER NOT NULL,              -- whether packets of version 1 are taken
    received INTEGER,                       -- the last counter of version 1 that was taken; NULL before the first
    sent INTEGER NOT NULL DEFAULT 0,        -- the last counter of version 1 that was used for an answer
    cid BLOB,                               -- the last session of version 2, and where its device was: there it is told
    host TEXT,                              -- that the session is no more when the server has been started anew
    port INTEGER
) WITHOUT ROWID;

-- The key from which all devices of an IotCenter 1 have theirs: one row, or none.
CREATE TABLE udp_master (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    sealed BLOB NOT NULL
);
