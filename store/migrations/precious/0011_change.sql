-- The undo journal: writes that may be undone. What undoing needs may be text
-- of Confluence, so it lies in sealed and goes with its row.
CREATE TABLE change (
  id        TEXT PRIMARY KEY CHECK (length(id) = 32),
  principal TEXT NOT NULL,
  site      TEXT NOT NULL,
  tool      TEXT NOT NULL,
  what      TEXT NOT NULL,
  at        TEXT NOT NULL,
  undone    TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX change_at ON change(at);
