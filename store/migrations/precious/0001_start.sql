-- Precious state: what cannot be rebuilt from Confluence.

-- An integration's id is kept for its name across restarts and is never
-- given to another name, so that attributes like "3:group-staff" stay true.
CREATE TABLE integration (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  name    TEXT NOT NULL UNIQUE,
  created TEXT NOT NULL
) STRICT;

-- An agent is a caller with a key. The key is 256 random bits, so a plain
-- SHA-256 is enough; key_id is the public part it is looked up by.
CREATE TABLE agent (
  name          TEXT PRIMARY KEY,
  key_id        TEXT NOT NULL UNIQUE,
  key_sha256    BLOB NOT NULL CHECK (length(key_sha256) = 32),
  owner         TEXT NOT NULL,
  profile       TEXT NOT NULL,
  integration   TEXT NOT NULL,
  user          TEXT NOT NULL,
  act_for_users INTEGER NOT NULL CHECK (act_for_users IN (0, 1)),
  admin         INTEGER NOT NULL CHECK (admin IN (0, 1)),
  approver      INTEGER NOT NULL CHECK (approver IN (0, 1)),
  created       TEXT NOT NULL,
  expires       TEXT,
  revoked       TEXT
) STRICT;

-- The audit log. A decision is written before the call runs, its outcome
-- after; neither row is ever changed or removed, which the triggers hold
-- against any statement that tries.
CREATE TABLE audit_entry (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  at              TEXT NOT NULL,
  decision_id     TEXT NOT NULL UNIQUE,
  policy_revision TEXT NOT NULL,
  profile         TEXT NOT NULL,
  principal       TEXT NOT NULL,
  kind            TEXT NOT NULL,
  transport       TEXT NOT NULL,
  tool            TEXT NOT NULL,
  grp             TEXT NOT NULL,
  action          TEXT NOT NULL,
  site            TEXT NOT NULL,
  resource_type   TEXT NOT NULL,
  resource_id     TEXT NOT NULL,
  space_key       TEXT NOT NULL,
  effect          TEXT NOT NULL,
  reason          TEXT NOT NULL,
  rules_matched   TEXT NOT NULL,
  rules_errored   TEXT NOT NULL,
  args_sha256     TEXT NOT NULL,
  dry_run         INTEGER NOT NULL,
  is_write        INTEGER NOT NULL
) STRICT;

CREATE TABLE audit_outcome (
  entry      INTEGER PRIMARY KEY REFERENCES audit_entry(id),
  result     TEXT NOT NULL,
  error_code TEXT NOT NULL,
  version    INTEGER NOT NULL,
  bytes      INTEGER NOT NULL,
  micros     INTEGER NOT NULL
) STRICT;

CREATE INDEX audit_entry_at ON audit_entry(at);

CREATE TRIGGER audit_entry_keep   BEFORE UPDATE ON audit_entry   BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_entry_stay   BEFORE DELETE ON audit_entry   BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_outcome_keep BEFORE UPDATE ON audit_outcome BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_outcome_stay BEFORE DELETE ON audit_outcome BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
