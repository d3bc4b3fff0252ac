-- What is shown of a page beside its body carries a hash, too, with the node in
-- it: a row that was damaged, or stands with another node, is shown to nobody.
-- Rows of before have none and are read again: nothing says any more that they
-- were. Which account reads them, and that it may not, stays known.
ALTER TABLE page ADD COLUMN hash BLOB NOT NULL DEFAULT x'';
ALTER TABLE attachment ADD COLUMN hash BLOB NOT NULL DEFAULT x'';
DELETE FROM mark WHERE name LIKE 'space:%';
UPDATE mark SET value = json_remove(value, '$.complete', '$.full', '$.began') WHERE name = 'sync' AND json_valid(value);
