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
-- Groups the newest failures by reason; the newest object of each is its example.
WITH reasons AS (
  SELECT reason, count(*) AS objects, min(failed_at) AS first_at, max(failed_at) AS last_at,
         max(id) AS example
    FROM (SELECT f.id, f.failed_at,
-- include: reason.sql
                 AS reason
            FROM (SELECT id, failed_at, last_error FROM file_sync
                   WHERE state = 'failed' ORDER BY queued_at DESC LIMIT :newest) AS f) AS newest
   GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT :most
)
SELECT r.reason, r.objects, r.first_at, r.last_at, f.id AS example_id,
       f.file_name AS example_name, f.last_error AS example_error
  FROM reasons AS r JOIN file_sync AS f ON f.id = r.example
 ORDER BY r.objects DESC, r.reason;
