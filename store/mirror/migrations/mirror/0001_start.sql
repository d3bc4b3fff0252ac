-- The mirror of Confluence: everything here can be read again.

-- The epoch counts batches: rows and the rights in memory belong together when
-- it is equal.
CREATE TABLE state (
  one   INTEGER PRIMARY KEY CHECK (one = 1),
  epoch INTEGER NOT NULL
) STRICT;
INSERT INTO state(one, epoch) VALUES (1, 1);

-- Tables that decide who may see what carry a hash of their row: a row that was
-- damaged admits nobody.
CREATE TABLE integration (
  id    INTEGER PRIMARY KEY,
  value TEXT NOT NULL, -- JSON
  hash  BLOB NOT NULL
) STRICT;

CREATE TABLE space (
  idx         INTEGER PRIMARY KEY AUTOINCREMENT,
  integration INTEGER NOT NULL,
  id          TEXT NOT NULL,
  key         TEXT NOT NULL COLLATE NOCASE,
  name        TEXT NOT NULL,
  type        TEXT NOT NULL,
  status      TEXT NOT NULL,
  homepage    TEXT NOT NULL,
  description TEXT NOT NULL,
  web_url     TEXT NOT NULL,
  grants      TEXT NOT NULL, -- JSON list of [kind, id]
  sealed      INTEGER NOT NULL CHECK (sealed IN (0, 1)),
  swept       INTEGER NOT NULL, -- Unix microseconds, 0 never
  hash        BLOB NOT NULL,
  UNIQUE (integration, id)
) STRICT;
CREATE INDEX space_key ON space(integration, key);

-- A node of the content tree and its own read clause; a placeholder (space 0)
-- stands for a parent nobody has seen. Indexes are never used again.
CREATE TABLE node (
  idx         INTEGER PRIMARY KEY AUTOINCREMENT,
  integration INTEGER NOT NULL,
  id          TEXT NOT NULL,
  type        TEXT NOT NULL,
  space       INTEGER NOT NULL,
  parent      INTEGER NOT NULL,
  state       INTEGER NOT NULL,
  clause      TEXT NOT NULL, -- JSON list of [kind, id]
  gone        INTEGER NOT NULL, -- the pass that did not find it any more; 0 there
  hash        BLOB NOT NULL,
  cause       TEXT NOT NULL, -- why it is sealed or incomplete, for people
  UNIQUE (id, integration)
) STRICT;
CREATE INDEX node_space ON node(space);
CREATE INDEX node_parent ON node(parent) WHERE parent <> 0;

-- What is listed, apart from the bodies: narrow rows are fast to go through.
CREATE TABLE page (
  node        INTEGER PRIMARY KEY,
  title       TEXT NOT NULL,
  status      TEXT NOT NULL,
  position    INTEGER,
  author      TEXT NOT NULL,
  owner       TEXT NOT NULL,
  created     INTEGER NOT NULL,
  version     INTEGER NOT NULL,
  updated     INTEGER NOT NULL,
  updated_by  TEXT NOT NULL,
  message     TEXT NOT NULL,
  minor       INTEGER NOT NULL,
  parent_type TEXT NOT NULL,
  labels      TEXT NOT NULL, -- JSON list
  web_url     TEXT NOT NULL,
  digest      BLOB NOT NULL, -- of everything a search finds
  read        INTEGER NOT NULL
) STRICT;
CREATE INDEX page_title ON page(title);

CREATE TABLE body (
  node    INTEGER PRIMARY KEY,
  storage TEXT NOT NULL,
  text    TEXT NOT NULL,
  hash    BLOB NOT NULL
) STRICT;

CREATE TABLE label (
  name TEXT NOT NULL,
  node INTEGER NOT NULL,
  PRIMARY KEY (name, node)
) STRICT, WITHOUT ROWID;
CREATE INDEX label_node ON label(node);

CREATE TABLE attachment (
  node       INTEGER NOT NULL,
  id         TEXT NOT NULL,
  title      TEXT NOT NULL,
  media_type TEXT NOT NULL,
  size       INTEGER NOT NULL,
  comment    TEXT NOT NULL,
  version    INTEGER NOT NULL,
  updated    INTEGER NOT NULL,
  updated_by TEXT NOT NULL,
  web_url    TEXT NOT NULL,
  PRIMARY KEY (node, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX attachment_id ON attachment(id);

CREATE TABLE person (
  integration INTEGER NOT NULL,
  id          TEXT NOT NULL,
  value       TEXT NOT NULL, -- JSON
  hash        BLOB NOT NULL,
  name        TEXT NOT NULL,
  username    TEXT NOT NULL COLLATE NOCASE,
  email       TEXT NOT NULL COLLATE NOCASE,
  PRIMARY KEY (integration, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX person_username ON person(integration, username);
CREATE INDEX person_email ON person(integration, email);

CREATE TABLE membership (
  integration INTEGER NOT NULL,
  id          TEXT NOT NULL,
  value       TEXT NOT NULL, -- JSON
  hash        BLOB NOT NULL,
  PRIMARY KEY (integration, id)
) STRICT, WITHOUT ROWID;

-- What a sync wants to remember: where it stopped, up to when it has read.
CREATE TABLE mark (
  integration INTEGER NOT NULL,
  name        TEXT NOT NULL,
  value       TEXT NOT NULL,
  PRIMARY KEY (integration, name)
) STRICT, WITHOUT ROWID;

-- The index follows this.
CREATE TABLE change (
  seq     INTEGER PRIMARY KEY AUTOINCREMENT,
  node    INTEGER NOT NULL,
  deleted INTEGER NOT NULL CHECK (deleted IN (0, 1))
) STRICT;

CREATE TABLE pass (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  integration INTEGER NOT NULL,
  space       INTEGER NOT NULL,
  started     INTEGER NOT NULL,
  ended       INTEGER NOT NULL, -- 0 while it runs, or when it was cut off
  complete    INTEGER NOT NULL CHECK (complete IN (0, 1)),
  report      TEXT NOT NULL
) STRICT;
CREATE INDEX pass_space ON pass(space, id);
