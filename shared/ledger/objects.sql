-- name: selected(before_id, most, ids, states, search_text, piece, low, high, number, reason, exact_reason, name, file_type, origin, received_from, received_before, failed_from, failed_before, synced_from, synced_before, problems, verified, unverified, changed_by)
-- Reads a page of the objects of a Selection, newest first.
SELECT f.id, f.state, f.file_name, f.file_type, f.oeid, f.ref_id, f.origin, f.attempts,
       f.attempts - f.attempts_forgiven AS counted_attempts, f.created_at, f.queued_at,
       f.next_attempt_at, f.failed_at, f.synced_at, f.size_bytes, f.sha256, f.etag, f.verified_by,
       f.last_error, found.result AS verification, found.checked_at
  FROM file_sync AS f
  LEFT JOIN verification AS found ON found.file_sync_id = f.id
 WHERE (:before_id::bigint IS NULL OR f.id < :before_id::bigint)
-- include: selection.sql
 ORDER BY f.id DESC
 LIMIT :most;

-- name: known(row_ids)
-- Finds which of some ids belong to objects, with their states.
SELECT id, state FROM file_sync WHERE id = ANY(:row_ids::bigint[]) ORDER BY id;

-- name: whole_object(row_id)
-- Reads everything about one object.
SELECT f.id, f.state, f.file_name, f.file_type, f.oeid, f.ref_id, f.origin, f.payload_checksum,
       f.request_id, f.attempts, f.attempts - f.attempts_forgiven AS counted_attempts, f.created_at,
       f.queued_at, f.due_at, f.next_attempt_at, f.claimed_at, f.leased_until, f.failed_at,
       f.synced_at, f.file_path, f.size_bytes, f.sha256, f.etag, f.verified_by, f.last_error,
       found.result AS verification, found.checked_at, found.requested_at AS verification_requested_at
  FROM file_sync AS f
  LEFT JOIN verification AS found ON found.file_sync_id = f.id
 WHERE f.id = :row_id;

-- name: history(row_id)
-- Reads the attempts and actions on one object, oldest first.
SELECT * FROM (
  SELECT finished_at AS at, outcome::text AS what, attempt, reason, NULL AS actor,
         extract(epoch FROM finished_at - started_at)::float8 AS seconds
    FROM sync_attempt WHERE file_sync_id = :row_id
  UNION ALL
  SELECT a.begun_at, a.name, NULL, o.reason, a.actor, NULL
    FROM action_object AS o JOIN action AS a ON a.id = o.action_id
   WHERE o.file_sync_id = :row_id
  ORDER BY 1 DESC, 3 DESC LIMIT 1000) AS newest
 ORDER BY at, attempt;

-- name: verified_by_action(action_id)
-- Counts the results of a verify action's objects since the action began.
SELECT v.result, count(*) AS objects
  FROM action_object AS o
  JOIN action AS a ON a.id = o.action_id
  JOIN verification AS v ON v.file_sync_id = o.file_sync_id AND v.checked_at >= a.begun_at
 WHERE o.action_id = :action_id
 GROUP BY 1 ORDER BY 1;

-- name: problems_of_action(action_id, problems, after_id, most)
-- Reads a page of the objects that an action asked to be verified, those whose files are not as
-- recorded.
SELECT f.id, f.file_name, v.result
  FROM action_object AS o
  JOIN action AS a ON a.id = o.action_id
  JOIN verification AS v ON v.file_sync_id = o.file_sync_id AND v.checked_at >= a.begun_at
  JOIN file_sync AS f ON f.id = o.file_sync_id
 WHERE o.action_id = :action_id AND o.file_sync_id > :after_id
   AND v.result = ANY(:problems::text[])
 ORDER BY f.id LIMIT :most;
