DROP TRIGGER forget_deleted ON file_sync;
DROP TRIGGER forget_truncated ON file_sync;
DROP FUNCTION forget_deleted();
DROP FUNCTION forget_truncated();
DELETE FROM sync_attempt AS a
 WHERE NOT EXISTS (SELECT FROM file_sync WHERE id = a.file_sync_id);
DELETE FROM action_object AS o
 WHERE NOT EXISTS (SELECT FROM file_sync WHERE id = o.file_sync_id)
    OR NOT EXISTS (SELECT FROM action WHERE id = o.action_id);
ALTER TABLE sync_attempt
  ADD CONSTRAINT sync_attempt_file_sync_id_fkey
    FOREIGN KEY (file_sync_id) REFERENCES file_sync ON DELETE CASCADE;
ALTER TABLE action_object
  ADD CONSTRAINT action_object_file_sync_id_fkey
    FOREIGN KEY (file_sync_id) REFERENCES file_sync ON DELETE CASCADE,
  ADD CONSTRAINT action_object_action_id_fkey
    FOREIGN KEY (action_id) REFERENCES action ON DELETE CASCADE;
CREATE INDEX file_sync_oeid ON file_sync (hashtextextended(oeid, 0));
CREATE INDEX file_sync_ref_id ON file_sync (hashtextextended(ref_id, 0));
CREATE INDEX file_sync_last_segment
    ON file_sync (reverse(split_part(reverse(file_name), '/', 1)) text_pattern_ops)
 WHERE position('/' IN file_name) > 0;
CREATE OR REPLACE FUNCTION count_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM add_to_count(state, objects, bytes)
     FROM (SELECT state, count(*) AS objects, coalesce(sum(size_bytes), 0)::bigint AS bytes
             FROM added GROUP BY state ORDER BY state) AS change;
  RETURN NULL;
END $$;
DROP TABLE search_key;
CREATE INDEX file_sync_file_name
    ON file_sync (file_name text_pattern_ops, coalesce(placed_at, synced_at));
DROP INDEX file_sync_name;
DROP TRIGGER set_name_order ON file_sync;
DROP FUNCTION set_name_order();
ALTER TABLE file_sync DROP COLUMN name_order;
