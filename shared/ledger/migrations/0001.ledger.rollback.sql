DROP TABLE sync_count, sync_attempt, file_sync;
DROP FUNCTION count_inserted(), count_updated(), count_deleted(), count_truncated();
DROP FUNCTION add_to_count(sync_state, bigint, bigint);
DROP TYPE attempt_outcome, sync_state;
