-- Operations on objects and their results: actions, verifications, runs.
-- depends: 0006.recovery

-- A person has seen the failure, and it needs no action. A rollback leaves the value.
ALTER TYPE sync_state ADD VALUE IF NOT EXISTS 'dismissed';

ALTER TABLE file_sync
  ADD COLUMN origin    text NOT NULL DEFAULT 'request'   -- how the service learned of the object
    CHECK (origin IN ('request', 'reconcile', 's3_event')),
  ADD COLUMN failed_at timestamptz;                      -- when it failed, NULL unless it has
COMMENT ON COLUMN file_sync.payload_checksum IS
  'The signature of a request; else SHA-256 over bucket, key and version: the idempotency key';

UPDATE file_sync AS f
   SET failed_at = coalesce((SELECT max(finished_at) FROM sync_attempt
                              WHERE file_sync_id = f.id AND outcome IN ('failed', 'lost')), now())
 WHERE state = 'failed';

-- A new value of a type cannot be used by the transaction that adds it, so the counters of
-- dismissed objects are added by their first one.
CREATE OR REPLACE FUNCTION add_to_count(of_state sync_state, more_objects bigint, more_bytes bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE sync_count
     SET objects = objects + more_objects, bytes = bytes + more_bytes
   WHERE slot = pg_backend_pid() % 16 AND state = of_state;
  IF NOT FOUND THEN
    INSERT INTO sync_count AS c (slot, state, objects, bytes)
    VALUES (pg_backend_pid() % 16, of_state, more_objects, more_bytes)
    ON CONFLICT (slot, state) DO UPDATE
       SET objects = c.objects + excluded.objects, bytes = c.bytes + excluded.bytes;
  END IF;
END $$;

-- The audit log: what was done, by whom, and to how many objects. An action is recorded completely
-- before it is performed, slice by slice in the order of ids; any process can continue it.
CREATE TABLE action (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name        text NOT NULL CHECK (name IN
                ('retry', 'retry_now', 'fetch_again', 'dismiss', 'restore', 'verify')),
  actor       text NOT NULL,             -- 'admin: jane', 'command line: root', 'schedule'
  selection   jsonb NOT NULL,            -- the filter
  begun_at    timestamptz NOT NULL DEFAULT now(),
  last_id     bigint NOT NULL,           -- objects accepted later are not included
  position    bigint NOT NULL DEFAULT 0, -- performed up to this id
  objects     bigint NOT NULL DEFAULT 0, -- number that it changed
  finished_at timestamptz
);
CREATE INDEX action_unfinished ON action (id) WHERE finished_at IS NULL;

CREATE TABLE action_object (
  file_sync_id bigint NOT NULL REFERENCES file_sync ON DELETE CASCADE,
  action_id    bigint NOT NULL REFERENCES action ON DELETE CASCADE,
  reason       text,                     -- why it had failed, if it had
  PRIMARY KEY (file_sync_id, action_id)
);

-- Whether files still match what was recorded. A table of its own: file_sync has a dozen indexes,
-- and each update of it would write to all of them.
CREATE TABLE verification (
  file_sync_id bigint PRIMARY KEY REFERENCES file_sync ON DELETE CASCADE,
  requested_at timestamptz,              -- requested then, and not done since
  result       text CHECK (result IN ('ok', 'damaged', 'missing', 'unreadable', 'replaced')),
  checked_at   timestamptz,
  CHECK ((result IS NULL) = (checked_at IS NULL)),
  CHECK (requested_at IS NOT NULL OR result IS NOT NULL)
) WITH (fillfactor = 80);
CREATE INDEX verification_requested ON verification (requested_at, file_sync_id)
 WHERE requested_at IS NOT NULL;
CREATE INDEX verification_problem ON verification (result, file_sync_id)
 WHERE result IN ('damaged', 'missing', 'unreadable');

-- Their exact numbers, in slots as in sync_count.
CREATE TABLE verification_count (
  slot    smallint NOT NULL,
  result  text NOT NULL,
  objects bigint NOT NULL,
  PRIMARY KEY (slot, result)
) WITH (fillfactor = 50);

CREATE FUNCTION add_to_verification_count(results text[], more bigint[]) RETURNS void
LANGUAGE sql AS $$
  -- In one order everywhere: two backends of one slot cannot deadlock.
  INSERT INTO verification_count AS c (slot, result, objects)
  SELECT pg_backend_pid() % 16, result, sum(objects)
    FROM unnest(results, more) AS change(result, objects)
   GROUP BY result HAVING sum(objects) <> 0
   ORDER BY result
  ON CONFLICT (slot, result) DO UPDATE SET objects = c.objects + excluded.objects
$$;

CREATE FUNCTION count_verifications() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- Of the branches only the one that runs is planned: the others' tables do not exist.
  IF TG_OP = 'INSERT' THEN
    PERFORM add_to_verification_count(array_agg(result), array_agg(objects))
       FROM (SELECT result, count(*) AS objects FROM added
              WHERE result IS NOT NULL GROUP BY result) AS change;
  ELSIF TG_OP = 'UPDATE' THEN
    PERFORM add_to_verification_count(array_agg(result), array_agg(objects))
       FROM (SELECT result, count(*) AS objects FROM added
              WHERE result IS NOT NULL GROUP BY result
             UNION ALL
             SELECT result, -count(*) FROM removed
              WHERE result IS NOT NULL GROUP BY result) AS change;
  ELSE
    PERFORM add_to_verification_count(array_agg(result), array_agg(objects))
       FROM (SELECT result, -count(*) AS objects FROM removed
              WHERE result IS NOT NULL GROUP BY result) AS change;
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER count_inserted AFTER INSERT ON verification
  REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION count_verifications();
CREATE TRIGGER count_updated AFTER UPDATE ON verification
  REFERENCING OLD TABLE AS removed NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION count_verifications();
CREATE TRIGGER count_deleted AFTER DELETE ON verification
  REFERENCING OLD TABLE AS removed
  FOR EACH STATEMENT EXECUTE FUNCTION count_verifications();

-- Long work that any process can continue: comparing a bucket with the ledger and the storage,
-- reading files again. One of a kind at a time.
CREATE TABLE run (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind         text NOT NULL CHECK (kind IN ('reconcile', 'scrub')),
  actor        text NOT NULL,            -- as in action
  options      jsonb NOT NULL,           -- its parameters
  state        text NOT NULL DEFAULT 'running'
    CHECK (state IN ('running', 'finished', 'failed', 'cancelled')),
  begun_at     timestamptz NOT NULL DEFAULT now(),
  finished_at  timestamptz,
  leased_until timestamptz NOT NULL DEFAULT now(),  -- a process holds it until then
  holder       text,                     -- which one
  position     jsonb,                    -- where to continue, NULL at the beginning
  numbers      jsonb NOT NULL DEFAULT '{}',
  error        text,                     -- why it failed, or what it waits for
  CHECK ((state = 'running') = (finished_at IS NULL))
);
CREATE UNIQUE INDEX run_running ON run (kind) WHERE state = 'running';

CREATE TABLE run_finding (
  run_id       bigint NOT NULL REFERENCES run ON DELETE CASCADE,
  finding      text NOT NULL,            -- missed, missing, different, orphaned, damaged …
  file_name    text NOT NULL,
  file_sync_id bigint,                   -- the object, if the ledger has it
  size_bytes   bigint,                   -- as found
  etag         text,                     -- as found
  detail       text,                     -- for people: what differs
  PRIMARY KEY (run_id, finding, file_name)
);
