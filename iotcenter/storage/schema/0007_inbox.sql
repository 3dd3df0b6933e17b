-- Up to which position the inbox is in the tables: it changes in the transaction that puts it there. There is one row,
-- and none before the first merge.
CREATE TABLE inbox (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    position INTEGER NOT NULL
);
