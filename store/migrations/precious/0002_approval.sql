-- Approvals: changes that wait for a person. State and seq are columns because
-- a step is taken with UPDATE … WHERE state = ? AND seq = ?: of two processes
-- or threads that try the same step, one changes a row.
CREATE TABLE approval (
  id        TEXT PRIMARY KEY CHECK (length(id) = 32),
  state     TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'executing', 'in_doubt',
                                           'executed', 'rejected', 'cancelled', 'expired', 'stale', 'failed')),
  seq       INTEGER NOT NULL,
  digest    TEXT NOT NULL,
  call_id   TEXT NOT NULL,
  principal TEXT NOT NULL,
  created   TEXT NOT NULL,
  expires   TEXT NOT NULL,
  changed   TEXT NOT NULL,
  record    BLOB NOT NULL
) STRICT;

CREATE INDEX approval_call  ON approval(call_id, created);
CREATE INDEX approval_open  ON approval(principal, state);
CREATE INDEX approval_state ON approval(state, created);
CREATE INDEX approval_clock ON approval(changed);

-- Private: the arguments, the diff, the caller and the result of a request.
-- Page content is in here. Removed 30 days after the end (secure_delete is on, and the file is 0600).
CREATE TABLE approval_private (
  id      TEXT PRIMARY KEY REFERENCES approval(id),
  content BLOB NOT NULL
) STRICT;

CREATE TRIGGER approval_stay       BEFORE DELETE ON approval       BEGIN SELECT RAISE(ABORT, 'approvals are kept'); END;
-- An end never changes.
CREATE TRIGGER approval_end BEFORE UPDATE OF state ON approval
  WHEN OLD.state IN ('executed', 'rejected', 'cancelled', 'expired', 'stale', 'failed')
  BEGIN SELECT RAISE(ABORT, 'this approval has ended'); END;
