-- Callers: their rates, when they were last heard, and whom tokens stand for.

-- What an agent as a whole may ask, in requests a second and at once; 0 is the
-- server's default.
ALTER TABLE agent ADD COLUMN rate  REAL    NOT NULL DEFAULT 0 CHECK (rate >= 0);
ALTER TABLE agent ADD COLUMN burst INTEGER NOT NULL DEFAULT 0 CHECK (burst >= 0);

-- When an agent was last heard, those of the configuration file as well;
-- authority is what vouches for the name.
CREATE TABLE agent_used (
  authority TEXT NOT NULL,
  name      TEXT NOT NULL,
  used      TEXT NOT NULL,
  PRIMARY KEY (authority, name)
) STRICT, WITHOUT ROWID;

-- A person who was found by an e-mail address keeps the account found first,
-- and an account keeps its person: an address that goes to somebody else takes
-- nothing along.
CREATE TABLE person (
  authority   TEXT NOT NULL,
  subject     TEXT NOT NULL,
  integration TEXT NOT NULL,
  account     TEXT NOT NULL,
  email       TEXT NOT NULL,
  since       TEXT NOT NULL,
  PRIMARY KEY (authority, integration, subject),
  UNIQUE (authority, integration, account)
) STRICT, WITHOUT ROWID;
