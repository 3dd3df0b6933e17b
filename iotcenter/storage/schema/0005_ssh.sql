-- The public keys by which users come in over SSH. A key has one owner, so that it says who it is.
CREATE TABLE ssh_key (
    fingerprint TEXT PRIMARY KEY,           -- SHA-256 in Base64, as ssh-keygen -l shows it
    user TEXT NOT NULL REFERENCES user ON DELETE CASCADE,
    key TEXT NOT NULL,                      -- its type and the key in Base64
    comment TEXT NOT NULL,
    created INTEGER NOT NULL,
    last_used INTEGER
) WITHOUT ROWID;
CREATE INDEX ssh_key_of_user ON ssh_key (user);

-- Who did what, when. Names stand here as they were then: what happened stays when a device or a user goes.
CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time INTEGER NOT NULL,
    kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    object TEXT NOT NULL,
    text TEXT NOT NULL,
    data TEXT NOT NULL                      -- JSON
);
CREATE INDEX event_of_kind ON event (kind, id);
CREATE INDEX event_of_object ON event (object, id);
