-- Who read restricted content, or content that somebody outside wrote, and
-- when; who is a payer or an agent, '' is never.
CREATE TABLE taint (
  who        TEXT PRIMARY KEY,
  restricted TEXT NOT NULL,
  external   TEXT NOT NULL,
  at         TEXT NOT NULL -- the later of the two
) STRICT, WITHOUT ROWID;

CREATE INDEX taint_at ON taint(at);
