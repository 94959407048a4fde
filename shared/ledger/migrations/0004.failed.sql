-- Failed objects by name and by type: what a person looks through when something is wrong.
-- depends: 0003.logout

-- Only what failed is in them, so neither a request nor a sync pays for them.
CREATE INDEX file_sync_failed_name ON file_sync (file_name text_pattern_ops, id)
 WHERE state = 'failed';
CREATE INDEX file_sync_failed_type ON file_sync (file_type, queued_at, id)
 WHERE state = 'failed';
