DROP TABLE run_finding;
DROP TABLE run;
DROP TABLE verification;
DROP TABLE verification_count;
DROP FUNCTION count_verifications();
DROP FUNCTION add_to_verification_count(text[], bigint[]);
DROP TABLE action_object;
DROP TABLE action;
-- The type keeps its value 'dismissed': PostgreSQL can add values, not remove them.
UPDATE file_sync SET state = 'failed' WHERE state::text = 'dismissed';
DELETE FROM sync_count WHERE state::text = 'dismissed';
ALTER TABLE file_sync DROP COLUMN origin, DROP COLUMN failed_at;
