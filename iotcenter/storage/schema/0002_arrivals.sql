-- What was refused for good, and what the device said last that it lost: its own count begins anew when it is set up anew.
ALTER TABLE account ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
UPDATE account SET told = lost;

-- When readings came: a row for reports that follow on one another and came in the same way.
CREATE TABLE arrival (
    device TEXT NOT NULL REFERENCES device ON DELETE CASCADE,
    boot INTEGER NOT NULL,
    first INTEGER NOT NULL,                 -- sequence numbers
    last INTEGER NOT NULL,
    time INTEGER NOT NULL,                  -- of the newest reading, as it was placed
    since INTEGER NOT NULL,                 -- when the first and the last of them came
    until INTEGER NOT NULL,
    clock INTEGER,                          -- by how much the device's clock was ahead; NULL where it had none
    late INTEGER NOT NULL,                  -- how many came over a minute after they were measured
    PRIMARY KEY (device, boot, first)
) WITHOUT ROWID;
CREATE INDEX arrival_until ON arrival (device, until);
