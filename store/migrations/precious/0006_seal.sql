-- Data keys, wrapped by a master key that is not in this file.
CREATE TABLE seal_key (
  id       TEXT PRIMARY KEY CHECK (length(id) = 16),
  provider TEXT NOT NULL,
  master   TEXT NOT NULL,
  wrapped  BLOB NOT NULL,
  created  TEXT NOT NULL
) STRICT;

-- Every secret that is kept: sealed, and bound to the place it is for. The key
-- is a column so that a record under a key that was rotated away cannot be
-- written any more, and so that a rotation finds all of them in one table.
CREATE TABLE sealed (
  owner  TEXT NOT NULL,
  row    TEXT NOT NULL,
  field  TEXT NOT NULL,
  key    TEXT NOT NULL REFERENCES seal_key(id),
  record BLOB NOT NULL,
  PRIMARY KEY (owner, row, field)
) STRICT;

-- Consents of accounts. Slot says what a grant is for, so that there is one of
-- each kind: the service grant, one for each person, and of both the one that
-- waits for a choice of site. Ids are never used twice: tokens are sealed for
-- an id. What the record says is no secret; the tokens lie in sealed.
CREATE TABLE oauth_grant (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  integration INTEGER NOT NULL,
  slot        TEXT NOT NULL,
  generation  INTEGER NOT NULL,
  record      TEXT NOT NULL,
  UNIQUE (integration, slot)
) STRICT;
