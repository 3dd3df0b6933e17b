-- How each user likes to see things, besides the time zone: see Preferences in iotcenter/model.py.
ALTER TABLE user ADD COLUMN hours TEXT NOT NULL DEFAULT 'auto';
ALTER TABLE user ADD COLUMN units TEXT NOT NULL DEFAULT 'declared';
ALTER TABLE user ADD COLUMN theme TEXT NOT NULL DEFAULT 'system';
ALTER TABLE user ADD COLUMN language TEXT NOT NULL DEFAULT '';
