-- name: progress(minutes)
-- Counts the attempts that ended recently, and the seconds since the first minute with one.
SELECT coalesce(sum(objects) FILTER (WHERE outcome = 'synced'), 0)::bigint AS synced,
       coalesce(sum(objects) FILTER (WHERE outcome IN ('retry', 'lost')), 0)::bigint AS retries,
       coalesce(sum(objects) FILTER (WHERE outcome = 'failed'), 0)::bigint AS failed,
       extract(epoch FROM now() - min(minute))::float8 AS seconds
  FROM sync_rate
 WHERE minute > now() - make_interval(mins => :minutes);

-- name: retrying()
-- Counts the queued objects that wait for another attempt.
SELECT count(*) AS objects
  FROM file_sync WHERE state = 'queued' AND attempts > 0 AND next_attempt_at > now();

-- name: failures(newest, most)
-- Counts the newest failures by reason, which is the error without its details.
SELECT split_part(last_error, ': ', 1) AS reason, count(*) AS objects
  FROM (SELECT last_error FROM file_sync
         WHERE state = 'failed' ORDER BY queued_at DESC LIMIT :newest) AS failed
 GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT :most;
