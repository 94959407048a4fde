-- What the list narrowed to a type, or to the failed, is sorted by.
-- depends: 0003.logout

-- Types differ in names: in the index of all names, those of one type may be far from both ends.
-- Objects enter when they are settled, so that a request does not pay for it.
CREATE INDEX file_sync_type_name ON file_sync (file_type, file_name text_pattern_ops)
 WHERE state <> 'queued';

-- Only what failed is in these, so that nothing else pays for them.
CREATE INDEX file_sync_failed_name ON file_sync (file_name text_pattern_ops, id)
 WHERE state = 'failed';
CREATE INDEX file_sync_failed_type ON file_sync (file_type, queued_at, id)
 WHERE state = 'failed';
