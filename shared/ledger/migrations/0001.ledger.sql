-- The ledger: every accepted object, its attempts, and exact counts.
-- depends:

CREATE TYPE sync_state AS ENUM ('queued', 'synced', 'failed');

CREATE TYPE attempt_outcome AS ENUM (
  'synced',   -- the file is in place
  'retry',    -- an error that another attempt may not meet
  'failed',   -- an error that no attempt would escape, or the last attempt used up
  'lost',     -- the worker went silent: its lease ran out
  'redriven'  -- a person put the object back in the queue
);

CREATE TABLE file_sync (
  id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  oeid              text NOT NULL,
  ref_id            text NOT NULL,
  file_name         text NOT NULL,
  file_type         text NOT NULL,
  payload_checksum  bytea NOT NULL UNIQUE CHECK (octet_length(payload_checksum) = 32),
  request_id        text NOT NULL,
  state             sync_state NOT NULL DEFAULT 'queued',
  attempts          integer NOT NULL DEFAULT 0,  -- only ever grows: it fences late workers off
  attempts_forgiven integer NOT NULL DEFAULT 0,  -- attempts before the last redrive
  next_attempt_at   timestamptz NOT NULL DEFAULT now(),  -- not to be claimed before
  due_at            timestamptz NOT NULL DEFAULT now(),  -- to be announced (again) then
  leased_until      timestamptz,                 -- set while a worker has it
  claimed_at        timestamptz,                 -- start of the last attempt
  last_error        text,
  created_at        timestamptz NOT NULL DEFAULT now(),
  queued_at         timestamptz NOT NULL DEFAULT now(),  -- created or last redriven
  synced_at         timestamptz,
  file_path         text,
  size_bytes        bigint,
  sha256            bytea,
  etag              text,
  CHECK ((state = 'synced') = (synced_at IS NOT NULL)),
  CHECK (state <> 'synced' OR (file_path, size_bytes, sha256) IS NOT NULL),
  CHECK (state <> 'failed' OR last_error IS NOT NULL),
  CHECK (state = 'queued' OR leased_until IS NULL)
) WITH (fillfactor = 80);

CREATE INDEX file_sync_file_name ON file_sync (file_name text_pattern_ops);
CREATE INDEX file_sync_due ON file_sync (due_at) WHERE state = 'queued';
CREATE INDEX file_sync_unsynced ON file_sync (state, queued_at, id) WHERE state <> 'synced';

CREATE TABLE sync_attempt (
  file_sync_id bigint NOT NULL REFERENCES file_sync ON DELETE CASCADE,
  attempt      integer NOT NULL,
  outcome      attempt_outcome NOT NULL,
  reason       text,
  started_at   timestamptz NOT NULL,
  finished_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (file_sync_id, attempt, outcome)
);

-- Counts that cost the same at any number of rows. Every backend adds to the slot of its own
-- process id, so that concurrent inserts seldom wait for each other; the truth is the sum.
CREATE TABLE sync_count (
  slot    smallint NOT NULL,
  state   sync_state NOT NULL,
  objects bigint NOT NULL DEFAULT 0,
  bytes   bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (slot, state)
) WITH (fillfactor = 50);

INSERT INTO sync_count (slot, state)
SELECT slot, state FROM generate_series(0, 15) AS slot, unnest(enum_range(NULL::sync_state)) AS state;

CREATE FUNCTION add_to_count(of_state sync_state, more_objects bigint, more_bytes bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE sync_count
     SET objects = objects + more_objects, bytes = bytes + more_bytes
   WHERE slot = pg_backend_pid() % 16 AND state = of_state;
END $$;

-- The states are added in one order everywhere: two backends of one slot cannot deadlock.

CREATE FUNCTION count_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM add_to_count(state, objects, bytes)
     FROM (SELECT state, count(*) AS objects, coalesce(sum(size_bytes), 0)::bigint AS bytes
             FROM added GROUP BY state ORDER BY state) AS change;
  RETURN NULL;
END $$;

CREATE FUNCTION count_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM add_to_count(state, objects, bytes)
     FROM (SELECT state, sum(objects)::bigint AS objects, sum(bytes)::bigint AS bytes
             FROM (SELECT state, 1 AS objects, coalesce(size_bytes, 0) AS bytes FROM added
                   UNION ALL
                   SELECT state, -1, -coalesce(size_bytes, 0) FROM removed) AS row_change
            GROUP BY state HAVING sum(objects) <> 0 OR sum(bytes) <> 0 ORDER BY state) AS change;
  RETURN NULL;
END $$;

CREATE FUNCTION count_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM add_to_count(state, -objects, -bytes)
     FROM (SELECT state, count(*) AS objects, coalesce(sum(size_bytes), 0)::bigint AS bytes
             FROM removed GROUP BY state ORDER BY state) AS change;
  RETURN NULL;
END $$;

CREATE FUNCTION count_truncated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE sync_count SET objects = 0, bytes = 0;
  RETURN NULL;
END $$;

CREATE TRIGGER count_inserted AFTER INSERT ON file_sync
  REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION count_inserted();

CREATE TRIGGER count_updated AFTER UPDATE ON file_sync
  REFERENCING OLD TABLE AS removed NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION count_updated();

CREATE TRIGGER count_deleted AFTER DELETE ON file_sync
  REFERENCING OLD TABLE AS removed
  FOR EACH STATEMENT EXECUTE FUNCTION count_deleted();

CREATE TRIGGER count_truncated AFTER TRUNCATE ON file_sync
  FOR EACH STATEMENT EXECUTE FUNCTION count_truncated();
