DROP TABLE heartbeat;
DROP TABLE counter;
DROP TABLE pause;
DROP TABLE installation;
DROP INDEX file_sync_retry;
DROP INDEX file_sync_file_name;
CREATE INDEX file_sync_file_name ON file_sync (file_name text_pattern_ops);
ALTER TABLE file_sync
  DROP COLUMN verified_by,
  DROP COLUMN unproven_etag,
  DROP COLUMN unproven_size,
  DROP COLUMN unproven_sha256,
  DROP COLUMN placed_at,
  DROP COLUMN deaths;
