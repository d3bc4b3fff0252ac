-- The key of cursors while there is no key to seal it with; then it lies in
-- sealed.
CREATE TABLE cursor_key (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  key BLOB NOT NULL CHECK (length(key) = 32)
) STRICT;
