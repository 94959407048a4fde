-- Cheaper updates: noting that a file was placed writes to no index, and history checks no keys.
-- depends: 0010.action_index

-- Where a row comes among those of its name: 'infinity' while a worker has it, else when its file was
-- placed. It may be placed at any moment of an attempt, and noting that must not change an index.
ALTER TABLE file_sync ADD COLUMN IF NOT EXISTS name_order timestamptz;

-- Every statement sets it; the trigger does for those of the release before.
CREATE FUNCTION set_name_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.name_order := CASE WHEN NEW.leased_until IS NULL THEN NEW.placed_at ELSE 'infinity' END;
  RETURN NEW;
END $$;
CREATE TRIGGER set_name_order BEFORE INSERT OR UPDATE OF leased_until, placed_at ON file_sync
  FOR EACH ROW
  WHEN (NEW.name_order IS DISTINCT FROM
        CASE WHEN NEW.leased_until IS NULL THEN NEW.placed_at ELSE 'infinity' END)
  EXECUTE FUNCTION set_name_order();

-- Synced rows have synced_at: millions of them need no update.
UPDATE file_sync SET placed_at = placed_at
 WHERE state <> 'synced' AND (leased_until IS NOT NULL OR placed_at IS NOT NULL);

CREATE INDEX IF NOT EXISTS file_sync_name
    ON file_sync (file_name text_pattern_ops, coalesce(name_order, synced_at));
DROP INDEX file_sync_file_name;

-- What the admin searches by never changes: in a table of its own it is written once, where an index
-- of file_sync is written by each update.
CREATE TABLE search_key (
  file_sync_id bigint NOT NULL,
  oeid         bigint NOT NULL,          -- eight bytes of hash instead of the text
  ref_id       bigint NOT NULL,          -- likewise
  last_segment text                      -- of a key with "/"; others are in file_sync_name
);

-- As before, and the keys: one more trigger would cost each statement some 10 µs. It runs with its
-- owner's rights: `migrate` of the release before, after a deployment that is rolled back, takes away
-- what it does not know, and no role could record anything.
CREATE OR REPLACE FUNCTION count_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM add_to_count(state, objects, bytes)
     FROM (SELECT state, count(*) AS objects, coalesce(sum(size_bytes), 0)::bigint AS bytes
             FROM added GROUP BY state ORDER BY state) AS change;
  INSERT INTO search_key (file_sync_id, oeid, ref_id, last_segment)
  SELECT id, hashtextextended(oeid, 0), hashtextextended(ref_id, 0),
         CASE WHEN position('/' IN file_name) > 0
              THEN reverse(split_part(reverse(file_name), '/', 1)) END
    FROM added;
  RETURN NULL;
END $$;

INSERT INTO search_key (file_sync_id, oeid, ref_id, last_segment)
SELECT id, hashtextextended(oeid, 0), hashtextextended(ref_id, 0),
       CASE WHEN position('/' IN file_name) > 0
            THEN reverse(split_part(reverse(file_name), '/', 1)) END
  FROM file_sync;

CREATE INDEX search_key_oeid ON search_key (oeid);
CREATE INDEX search_key_ref_id ON search_key (ref_id);
CREATE INDEX search_key_last_segment ON search_key (last_segment text_pattern_ops)
 WHERE last_segment IS NOT NULL;
DROP INDEX file_sync_oeid;
DROP INDEX file_sync_ref_id;
DROP INDEX file_sync_last_segment;

-- No function may delete objects, and what refers to them is added by a statement that has locked them:
-- nothing is checked then. `prune_actions` removes only actions that have no objects left.
ALTER TABLE action_object DROP CONSTRAINT action_object_file_sync_id_fkey,
                          DROP CONSTRAINT action_object_action_id_fkey;
ALTER TABLE sync_attempt DROP CONSTRAINT sync_attempt_file_sync_id_fkey;

-- Where a person deletes objects, their history goes with them, as it did, by its owner's rights.
CREATE FUNCTION forget_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM sync_attempt WHERE file_sync_id IN (SELECT id FROM removed);
  DELETE FROM action_object WHERE file_sync_id IN (SELECT id FROM removed);
  DELETE FROM search_key WHERE file_sync_id IN (SELECT id FROM removed);
  RETURN NULL;
END $$;
CREATE TRIGGER forget_deleted AFTER DELETE ON file_sync
  REFERENCING OLD TABLE AS removed
  FOR EACH STATEMENT EXECUTE FUNCTION forget_deleted();

CREATE FUNCTION forget_truncated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  TRUNCATE sync_attempt, action_object, search_key;
  RETURN NULL;
END $$;
CREATE TRIGGER forget_truncated AFTER TRUNCATE ON file_sync
  FOR EACH STATEMENT EXECUTE FUNCTION forget_truncated();

-- With this schema alone: otherwise a role's temporary table of the same name would come first.
DO $$
DECLARE
  ours text;
BEGIN
  FOREACH ours IN ARRAY ARRAY['count_inserted', 'forget_deleted', 'forget_truncated'] LOOP
    EXECUTE format('ALTER FUNCTION %I() SECURITY DEFINER SET search_path = %I, pg_temp',
                   ours, current_schema());
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %I() FROM PUBLIC', ours); -- for triggers on other tables
  END LOOP;
END $$;
