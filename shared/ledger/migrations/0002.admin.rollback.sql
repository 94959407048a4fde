DROP TRIGGER count_attempts ON sync_attempt;
DROP FUNCTION count_attempts(), latency_bucket(double precision), file_sync_id_at(timestamptz);
DROP TABLE sync_rate;
DROP INDEX file_sync_oeid, file_sync_ref_id, file_sync_last_segment, file_sync_synced_at,
           file_sync_size, file_sync_tried_again,
           file_sync_state_tried_again, file_sync_file_type;
