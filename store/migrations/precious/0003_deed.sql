-- The last change of every principal to every page: what undo needs.
CREATE TABLE deed (
  principal   TEXT NOT NULL,
  site        TEXT NOT NULL,
  page        TEXT NOT NULL,
  before      INTEGER NOT NULL,
  made        INTEGER NOT NULL,
  base_sha256 TEXT NOT NULL,
  at          TEXT NOT NULL,
  PRIMARY KEY (principal, site, page)
) STRICT, WITHOUT ROWID;

CREATE INDEX deed_at ON deed(at);
