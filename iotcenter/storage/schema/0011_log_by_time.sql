-- The lines of all devices together, newest first; and those of them that somebody should look at.
CREATE INDEX log_by_time ON log (time);
CREATE INDEX log_grave ON log (time) WHERE level >= 2;
