-- The version a write made of what it changed: by it update_page finds the
-- caller's own last change of a page, which had a table of its own before.
ALTER TABLE change ADD COLUMN version INTEGER NOT NULL DEFAULT 0;

-- The same call wrote both rows with the same time.
UPDATE change SET version = COALESCE((SELECT made FROM deed
  WHERE deed.principal = change.principal AND deed.site = change.site AND deed.at = change.at
    AND change.what IN ('page ' || deed.page, 'blogpost ' || deed.page)), 0)
  WHERE tool = 'confluence_update_page';

CREATE INDEX change_version ON change(principal, site, what, version);

DROP TABLE deed;
