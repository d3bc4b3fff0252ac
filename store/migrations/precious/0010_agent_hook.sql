-- Where the approvals of an agent made by hand are told. The address and the
-- secret that signs lie in sealed, as one record; only the host is open.
CREATE TABLE agent_hook (
  agent   TEXT PRIMARY KEY REFERENCES agent(name),
  host    TEXT NOT NULL,
  changed TEXT NOT NULL
) STRICT, WITHOUT ROWID;
