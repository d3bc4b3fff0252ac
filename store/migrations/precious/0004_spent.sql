-- Writes of the last day, of every principal: what a profile's limits count.
CREATE TABLE spent (
  principal TEXT NOT NULL,
  deletion  INTEGER NOT NULL CHECK (deletion IN (0, 1)),
  at        TEXT NOT NULL
) STRICT;

CREATE INDEX spent_at ON spent(at);
