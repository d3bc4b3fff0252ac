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

-- The audit log: lines chained by hashes (see package audit). A decision is
-- written before the call runs, its outcome after; no line is ever changed or
-- removed and none goes anywhere but behind the last, which the triggers hold
-- against any statement that tries. What is searched for is read out of the
-- lines, so that nothing beside them could say something else.
CREATE TABLE audit_line (
  seq   INTEGER PRIMARY KEY,
  line  TEXT NOT NULL,
  kind  TEXT    AS (line ->> '$.kind')  VIRTUAL,
  entry INTEGER AS (line ->> '$.entry') VIRTUAL
) STRICT;

-- An entry has at most one outcome.
CREATE UNIQUE INDEX audit_line_finished ON audit_line(entry) WHERE kind = 'finished';

-- The head of the log: how many lines, and the hash of the last. It is what
-- shows that the end was cut off.
CREATE TABLE audit_head (
  one  INTEGER PRIMARY KEY CHECK (one = 1),
  seq  INTEGER NOT NULL,
  hash TEXT NOT NULL CHECK (length(hash) = 64)
) STRICT;
INSERT INTO audit_head(one, seq, hash) VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');

CREATE TRIGGER audit_line_next BEFORE INSERT ON audit_line
WHEN NOT EXISTS (SELECT 1 FROM audit_head WHERE NEW.seq = seq + 1 AND NEW.line ->> '$.prev_hash' = hash)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_line_head AFTER INSERT ON audit_line
BEGIN UPDATE audit_head SET seq = NEW.seq, hash = NEW.line ->> '$.hash'; END;
CREATE TRIGGER audit_line_keep BEFORE UPDATE ON audit_line BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_line_stay BEFORE DELETE ON audit_line BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_head_next BEFORE UPDATE ON audit_head
WHEN NEW.seq IS NOT OLD.seq + 1 OR NEW.hash IS NOT (SELECT line ->> '$.hash' FROM audit_line WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_head_stay BEFORE DELETE ON audit_head BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_head_one  BEFORE INSERT ON audit_head BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
