-- Whose a token is: it may never do more than they, and goes with them. NULL: nobody's in particular.
ALTER TABLE token ADD COLUMN owner TEXT REFERENCES user ON DELETE CASCADE;
CREATE INDEX token_of_owner ON token (owner);

-- Where a browser signed in, and what it says that it is: so that people know theirs.
ALTER TABLE session ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN agent TEXT NOT NULL DEFAULT '';
