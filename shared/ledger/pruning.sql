-- name: last_object()
-- The greatest id.
SELECT coalesce(max(id), 0) AS id FROM file_sync;

-- name: prune_attempts(after_id, to_id, before)
-- Removes old attempts on objects of a range of ids that are synced or dismissed.
WITH removed AS (
  DELETE FROM sync_attempt AS a USING file_sync AS f
   WHERE f.id = a.file_sync_id AND f.state::text IN ('synced', 'dismissed')
     AND a.file_sync_id > :after_id AND a.file_sync_id <= :to_id
     AND a.finished_at < :before::timestamptz
  RETURNING 1
)
SELECT count(*) AS rows FROM removed;

-- name: prune_action_objects(after_id, to_id, before)
-- Removes what old actions did with objects of a range of ids that are synced or dismissed.
WITH removed AS (
  DELETE FROM action_object AS o USING action AS a, file_sync AS f
   WHERE a.id = o.action_id AND a.finished_at < :before::timestamptz
     AND f.id = o.file_sync_id AND f.state::text IN ('synced', 'dismissed')
     AND o.file_sync_id > :after_id AND o.file_sync_id <= :to_id
  RETURNING 1
)
SELECT count(*) AS rows FROM removed;

-- name: prune_callbacks(after_id, to_id, before)
-- Removes callbacks on objects of a range of ids that were delivered or given up long ago.
WITH removed AS (
  DELETE FROM callback
   WHERE file_sync_id > :after_id AND file_sync_id <= :to_id AND state <> 'pending'
     AND coalesce(delivered_at, give_up_at) < :before::timestamptz
  RETURNING 1
)
SELECT count(*) AS rows FROM removed;

-- name: prune_actions(before)
-- Removes old actions that are in no object's history any more.
WITH removed AS (
  DELETE FROM action AS a
   WHERE a.finished_at < :before::timestamptz
     AND NOT EXISTS (SELECT FROM action_object AS o WHERE o.action_id = a.id)
  RETURNING 1
)
SELECT count(*) AS rows FROM removed;

-- name: prune_findings(before, most)
-- Removes findings of old runs.
WITH removed AS (
  DELETE FROM run_finding AS f
   USING (SELECT g.run_id, g.finding, g.file_name
            FROM run AS r JOIN run_finding AS g ON g.run_id = r.id
           WHERE r.finished_at < :before::timestamptz
             AND r.id NOT IN (SELECT max(id) FROM run GROUP BY kind, actor)
           LIMIT :most) AS old
   WHERE (f.run_id, f.finding, f.file_name) = (old.run_id, old.finding, old.file_name)
  RETURNING 1
)
SELECT count(*) AS rows FROM removed;

-- name: prune_runs(before)
-- Removes old runs; the newest of each kind and actor stays: the schedule reckons from it.
WITH removed AS (
  DELETE FROM run AS r
   WHERE r.finished_at < :before::timestamptz
     AND r.id NOT IN (SELECT max(id) FROM run GROUP BY kind, actor)
  RETURNING 1
)
SELECT count(*) AS rows FROM removed;

-- name: count_old(before)
-- Counts what would be removed.
SELECT (SELECT count(*) FROM sync_attempt AS a JOIN file_sync AS f ON f.id = a.file_sync_id
         WHERE f.state::text IN ('synced', 'dismissed') AND a.finished_at < :before::timestamptz)
       AS attempts,
       (SELECT count(*) FROM action AS a
         WHERE a.finished_at < :before::timestamptz
           AND NOT EXISTS (
                 SELECT FROM action_object AS o JOIN file_sync AS f ON f.id = o.file_sync_id
                  WHERE o.action_id = a.id AND f.state::text IN ('queued', 'failed')))
       AS actions,
       (SELECT count(*) FROM run AS r
         WHERE r.finished_at < :before::timestamptz
           AND r.id NOT IN (SELECT max(id) FROM run GROUP BY kind, actor))
       AS runs,
       (SELECT count(*) FROM callback
         WHERE state <> 'pending' AND coalesce(delivered_at, give_up_at) < :before::timestamptz)
       AS callbacks;
