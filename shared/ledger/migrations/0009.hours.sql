-- Outcomes per hour, for a chart of a week.
-- depends: 0008.callbacks

-- Like sync_rate, a ring, of eight days. A minute is kept for two days only: a week of minutes would
-- be too many rows to sum up for each page.
CREATE TABLE sync_rate_hour (
  hour     timestamptz NOT NULL,
  ring     smallint NOT NULL,      -- hour of the eight days, 0 to 191
  outcome  attempt_outcome NOT NULL,
  bucket   smallint NOT NULL,      -- as in sync_rate
  slot     smallint NOT NULL,      -- as in sync_count
  objects  bigint NOT NULL,
  PRIMARY KEY (ring, outcome, bucket, slot)
) WITH (fillfactor = 50);

INSERT INTO sync_rate_hour (hour, ring, outcome, bucket, slot, objects)
SELECT date_trunc('hour', minute, 'UTC'),
       floor(extract(epoch FROM min(minute)) / 3600)::bigint % 192,
       outcome, bucket, slot, sum(objects)
  FROM sync_rate
 WHERE minute > now() - interval '2 days'
 GROUP BY 1, 3, 4, 5;

CREATE OR REPLACE FUNCTION count_attempts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  WITH ended AS (
    SELECT date_trunc('minute', a.finished_at, 'UTC') AS minute,
           a.outcome,
           latency_bucket(extract(epoch FROM a.finished_at - f.queued_at)::double precision) AS bucket,
           count(*) AS objects
      FROM added a JOIN file_sync f ON f.id = a.file_sync_id
     WHERE a.outcome <> 'requeued'
           -- Never two minutes of one statement in the same place of the ring.
       AND a.finished_at BETWEEN now() - interval '1 day' AND now() + interval '1 hour'
     GROUP BY 1, 2, 3
  ), by_hour AS (
    INSERT INTO sync_rate_hour AS r (hour, ring, outcome, bucket, slot, objects)
    SELECT date_trunc('hour', minute, 'UTC'),
           floor(extract(epoch FROM min(minute)) / 3600)::bigint % 192,
           outcome, bucket, pg_backend_pid() % 16, sum(objects)
      FROM ended
     GROUP BY 1, 3, 4
     ORDER BY 2, 3, 4
    ON CONFLICT (ring, outcome, bucket, slot) DO UPDATE
       SET objects = CASE WHEN r.hour = excluded.hour THEN r.objects ELSE 0 END
                     + excluded.objects,
           hour = excluded.hour
  )
  INSERT INTO sync_rate AS r (minute, ring, outcome, bucket, slot, objects)
  SELECT minute, floor(extract(epoch FROM minute) / 60)::bigint % 2880,
         outcome, bucket, pg_backend_pid() % 16, objects
    FROM ended
   ORDER BY 2, 3, 4
  ON CONFLICT (ring, outcome, bucket, slot) DO UPDATE
     SET objects = CASE WHEN r.minute = excluded.minute THEN r.objects ELSE 0 END
                   + excluded.objects,
         minute = excluded.minute;
  RETURN NULL;
END $$;
