-- Photos and other files that devices sent. Their content is in the folder files/ of the data directory, under a name of
-- our own (path); what the device calls the file is only ever shown.
CREATE TABLE file (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    device TEXT NOT NULL REFERENCES device ON DELETE CASCADE,
    number INTEGER NOT NULL,                -- the device's own, which tells a file that comes again
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,               -- as the device says
    image TEXT,                             -- as the first bytes say, where that is a picture that may be shown
    size INTEGER NOT NULL,
    digest BLOB NOT NULL,                   -- SHA-256
    time INTEGER NOT NULL,
    received INTEGER NOT NULL,
    command INTEGER,                        -- the command that it is the result of
    path TEXT NOT NULL,
    UNIQUE (device, number)
);
CREATE INDEX file_of_device ON file (device, id, size);
CREATE INDEX file_photo ON file (device, id) WHERE image IS NOT NULL;

-- How many files of a device are kept; NULL: as the configuration says.
ALTER TABLE device ADD COLUMN keep_files INTEGER;
