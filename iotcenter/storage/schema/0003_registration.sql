-- Devices that prove themselves by a name and a password. A row without a hash is for one that the owner added, and that
-- has not registered yet, or no longer is.
CREATE TABLE registration (
    device_id TEXT PRIMARY KEY,             -- as the device calls itself
    device TEXT NOT NULL UNIQUE REFERENCES device ON DELETE CASCADE,
    password_hash TEXT,
    mac TEXT UNIQUE,                        -- twelve hexadecimal digits in lower case
    ip TEXT,
    port INTEGER,
    UNIQUE (ip, port)
) WITHOUT ROWID;
