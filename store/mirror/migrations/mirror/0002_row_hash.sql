-- What is shown of a page beside its body carries a hash, too, with the node in
-- it: a row that was damaged, or stands with another node, is shown to nobody.
-- Rows of before have none and are read again, as everything is without marks.
ALTER TABLE page ADD COLUMN hash BLOB NOT NULL DEFAULT x'';
ALTER TABLE attachment ADD COLUMN hash BLOB NOT NULL DEFAULT x'';
DELETE FROM mark;
