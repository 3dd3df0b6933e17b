-- What the raw readings of a minute, an hour or a day (UTC) give, so that a chart of years need not read them. A row's
-- time is the number of its bucket since 1970. Numbers and truth values are in total, low and high; texts are only counted.
-- A coarse bucket with few readings has no finer ones: the few readings themselves are read there. See rollups.py.
CREATE TABLE minute (
    series INTEGER NOT NULL,
    time INTEGER NOT NULL,
    count INTEGER NOT NULL,
    texts INTEGER NOT NULL,
    total REAL NOT NULL,
    low REAL,
    high REAL,
    last NOT NULL,
    PRIMARY KEY (series, time)
) WITHOUT ROWID;

CREATE TABLE hour (
    series INTEGER NOT NULL,
    time INTEGER NOT NULL,
    count INTEGER NOT NULL,
    texts INTEGER NOT NULL,
    total REAL NOT NULL,
    low REAL,
    high REAL,
    last NOT NULL,
    PRIMARY KEY (series, time)
) WITHOUT ROWID;

-- A count of 0 means that the day is not reckoned yet.
CREATE TABLE day (
    series INTEGER NOT NULL,
    time INTEGER NOT NULL,
    count INTEGER NOT NULL,
    texts INTEGER NOT NULL,
    total REAL NOT NULL,
    low REAL,
    high REAL,
    last NOT NULL,
    PRIMARY KEY (series, time)
) WITHOUT ROWID;
CREATE INDEX day_to_reckon ON day (series, time) WHERE count = 0;

INSERT INTO day SELECT DISTINCT series, time / 86400000, 0, 0, 0, NULL, NULL, 0 FROM reading;

-- A series without a device was removed with it, and stays until its readings are deleted.
-- Before the days (since 1970) of the four last columns there is nothing left: of raw readings, minutes, hours and days.
DROP TRIGGER series_gone;
CREATE TABLE new_series (
    id INTEGER PRIMARY KEY,
    device TEXT REFERENCES device ON DELETE SET NULL,
    name TEXT NOT NULL,
    keep_raw INTEGER,                       -- days; NULL: as the configuration says, 0: for ever
    keep_minutes INTEGER,
    keep_hours INTEGER,
    keep_days INTEGER,
    raw_from INTEGER NOT NULL DEFAULT 0,
    minutes_from INTEGER NOT NULL DEFAULT 0,
    hours_from INTEGER NOT NULL DEFAULT 0,
    days_from INTEGER NOT NULL DEFAULT 0,
    UNIQUE (device, name)
);
INSERT INTO new_series (id, device, name) SELECT id, device, name FROM series;
DROP TABLE series;
ALTER TABLE new_series RENAME TO series;

-- Boots are large numbers. Readings have a small one instead, given when a boot first reports; 0 is what was imported.
ALTER TABLE progress ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
UPDATE progress SET number = (
    SELECT count(*) FROM progress AS other WHERE other.device = progress.device AND other.boot <= progress.boot);

-- How much room the readings take, hour by hour: what the forecast is made of.
CREATE TABLE growth (
    time INTEGER PRIMARY KEY,
    bytes INTEGER NOT NULL
);
