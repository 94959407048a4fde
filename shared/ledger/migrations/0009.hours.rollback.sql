CREATE OR REPLACE FUNCTION count_attempts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO sync_rate AS r (minute, ring, outcome, bucket, slot, objects)
  SELECT date_trunc('minute', a.finished_at, 'UTC'),
         floor(extract(epoch FROM a.finished_at) / 60)::bigint % 2880,
         a.outcome,
         latency_bucket(extract(epoch FROM a.finished_at - f.queued_at)::double precision),
         pg_backend_pid() % 16,
         count(*)
    FROM added a JOIN file_sync f ON f.id = a.file_sync_id
   WHERE a.outcome <> 'requeued'
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
DROP TABLE sync_rate_hour;
