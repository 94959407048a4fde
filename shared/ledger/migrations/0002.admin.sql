-- What the admin asks of the ledger: search, sorting, dates, and rates over a day.
-- depends: 0001.ledger

-- Search by exact oeid and ref_id. Eight bytes of hash instead of the text: a third of the size,
-- and the same answer once the query compares the text as well.
CREATE INDEX file_sync_oeid ON file_sync (hashtextextended(oeid, 0));
CREATE INDEX file_sync_ref_id ON file_sync (hashtextextended(ref_id, 0));

-- Search by the beginning of a key's last segment; a key without "/" is in file_sync_file_name.
CREATE INDEX file_sync_last_segment
    ON file_sync (reverse(split_part(reverse(file_name), '/', 1)) text_pattern_ops)
 WHERE position('/' IN file_name) > 0;

-- Sorting. Each holds only rows that reached their last state, so it costs one entry per object
-- at most and nothing when a request is accepted.
CREATE INDEX file_sync_synced_at ON file_sync (synced_at, id) WHERE state = 'synced';
CREATE INDEX file_sync_size ON file_sync (size_bytes, id) WHERE state = 'synced';
CREATE INDEX file_sync_tried_again ON file_sync (attempts, id) WHERE attempts > 1;
CREATE INDEX file_sync_state_tried_again ON file_sync (state, attempts, id) WHERE attempts > 1;

-- Filter by type, and the list of types there are.
CREATE INDEX file_sync_file_type ON file_sync (file_type, id);

-- The first id accepted at or after a moment, by halving the range of ids: ids and created_at
-- grow together, so that dates need no index of their own. Whoever asks allows for a minute of
-- disorder, which two requests accepted at the same time may cause.
CREATE FUNCTION file_sync_id_at(moment timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
  low bigint; high bigint; middle bigint; found_id bigint; found_at timestamptz;
BEGIN
  SELECT min(id), max(id) + 1 INTO low, high FROM file_sync;
  WHILE low < high LOOP
    middle := low + (high - low) / 2;
    SELECT id, created_at INTO found_id, found_at
      FROM file_sync WHERE id >= middle ORDER BY id LIMIT 1;
    IF found_id IS NULL OR found_id >= high OR found_at >= moment THEN
      high := middle;
    ELSE
      low := found_id + 1;
    END IF;
  END LOOP;
  RETURN coalesce(low, 0);
END $$;

-- Outcomes per minute and how long objects took, for two days. A ring: a minute overwrites the
-- one two days before it, so that the table stays small without anybody tidying it.
CREATE TABLE sync_rate (
  minute   timestamptz NOT NULL,
  ring     smallint NOT NULL,      -- minute of the two days, 0 to 2879
  outcome  attempt_outcome NOT NULL,
  bucket   smallint NOT NULL,      -- n: it took less than 2^n/8 seconds, see latency_bucket
  slot     smallint NOT NULL,      -- as in sync_count
  objects  bigint NOT NULL,
  PRIMARY KEY (ring, outcome, bucket, slot)
) WITH (fillfactor = 50);

-- 0 for less than 125 ms, one more for each doubling, 20 for more than 18 hours.
CREATE FUNCTION latency_bucket(seconds double precision) RETURNS smallint
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN seconds < 0.125 THEN 0
              ELSE least(20, floor(ln(seconds * 8) / ln(2)) + 1) END::smallint
$$;

CREATE FUNCTION count_attempts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO sync_rate AS r (minute, ring, outcome, bucket, slot, objects)
  SELECT date_trunc('minute', a.finished_at, 'UTC'),
         floor(extract(epoch FROM a.finished_at) / 60)::bigint % 2880,
         a.outcome,
         latency_bucket(extract(epoch FROM a.finished_at - f.queued_at)::double precision),
         pg_backend_pid() % 16,
         count(*)
    FROM added a JOIN file_sync f ON f.id = a.file_sync_id
   WHERE a.outcome <> 'redriven'
         -- Never two minutes of one statement in the same place of the ring.
     AND a.finished_at BETWEEN now() - interval '1 day' AND now() + interval '1 hour'
   GROUP BY 1, 2, 3, 4
   ORDER BY 2, 3, 4
  ON CONFLICT (ring, outcome, bucket, slot) DO UPDATE
     SET objects = CASE WHEN r.minute = excluded.minute THEN r.objects ELSE 0 END
                   + excluded.objects,
         minute = excluded.minute;
  RETURN NULL;
END $$;

CREATE TRIGGER count_attempts AFTER INSERT ON sync_attempt
  REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION count_attempts();
