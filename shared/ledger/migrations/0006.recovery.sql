-- How a copy was verified, what an unverified one looked like, deaths of workers, shared faults.
-- depends: 0005.requeued

ALTER TABLE file_sync
  ADD COLUMN verified_by      text,     -- what the bytes were checked against
  ADD COLUMN unproven_etag    text,     -- a whole copy that differed from its ETag's MD5: if the
  ADD COLUMN unproven_size    bigint,   -- next one is the same, the ETag is no MD5
  ADD COLUMN unproven_sha256  bytea,
  ADD COLUMN placed_at        timestamptz,  -- its file was renamed into place, recorded or not
  ADD COLUMN deaths           integer NOT NULL DEFAULT 0;  -- workers that died, since it answered

-- Whether a newer version is in place is asked for one name at a time, and must cost the same
-- whatever the number of earlier versions: the newest of them are found by their time.
DROP INDEX file_sync_file_name;
CREATE INDEX file_sync_file_name
    ON file_sync (file_name text_pattern_ops, coalesce(placed_at, synced_at));

-- Retries are found without looking at all that waits for its first attempt.
CREATE INDEX file_sync_retry ON file_sync (next_attempt_at) WHERE state = 'queued' AND attempts > 0;

-- Parts in the storage carry the ledger's identity, so that two installations on one folder cannot
-- take each other's. The storage has a mark of it: where it is missing, so may be the file system.
CREATE TABLE installation (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  id       uuid NOT NULL DEFAULT gen_random_uuid(),
  storage_place text                     -- the folder that has the mark: file system and inode
);
INSERT INTO installation DEFAULT VALUES;

-- A fault of the source or of a storage, which concerns all objects: nothing is claimed there until
-- a probe succeeds.
CREATE TABLE pause (
  part      text PRIMARY KEY,            -- 'source', or 'storage' and the machine
  reason    text NOT NULL,
  since     timestamptz NOT NULL DEFAULT now(),
  probe_at  timestamptz NOT NULL,        -- the next one may try then
  probes    integer NOT NULL DEFAULT 0
);

-- Counters of rate limits that must hold without memcached. They may be lost with the server.
CREATE UNLOGGED TABLE counter (
  key        text PRIMARY KEY,
  number     integer NOT NULL,
  expires_at timestamptz NOT NULL
);

-- The processes that must be alive, and what each reports of itself.
CREATE TABLE heartbeat (
  component text NOT NULL,               -- 'worker', 'scheduler'
  instance  text NOT NULL,               -- machine and process
  beat_at   timestamptz NOT NULL DEFAULT now(),
  detail    text,                        -- what is wrong with it, NULL if nothing is
  PRIMARY KEY (component, instance)
);
