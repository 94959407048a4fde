-- name: begin_action(action, actor, criteria)
-- Records an action; from then on it will be performed, even if this process dies.
INSERT INTO action (name, actor, selection, last_id)
SELECT :action, :actor, :criteria::jsonb, coalesce(max(id), 0) FROM file_sync
RETURNING id;

-- name: lock_action(action_id)
-- Locks an action for one slice, unless it is finished or another process has locked it.
SELECT id, name, actor, selection, last_id, position, objects
  FROM action WHERE id = :action_id AND finished_at IS NULL
   FOR UPDATE SKIP LOCKED;

-- name: unfinished_actions()
-- Finds the actions that are not finished.
SELECT id FROM action WHERE finished_at IS NULL ORDER BY id;

-- name: count_selected(possible, waiting, ids, states, search_text, piece, low, high, number, reason, exact_reason, name, file_type, origin, received_from, received_before, failed_from, failed_before, synced_from, synced_before, problems, verified, unverified, changed_by)
-- Counts the objects that an action would change.
SELECT count(*) AS objects FROM file_sync AS f
 WHERE f.state = ANY(:possible::sync_state[])
   AND (f.state <> 'queued' OR (:waiting AND f.attempts > 0 AND f.leased_until IS NULL
                                AND f.next_attempt_at > now()))
-- include: selection.sql
;

-- name: choose(action_id, position, last_id, most, possible, waiting, ids, states, search_text, piece, low, high, number, reason, exact_reason, name, file_type, origin, received_from, received_before, failed_from, failed_before, synced_from, synced_before, problems, verified, unverified, changed_by)
-- Locks the next selected objects that an action can change, and adds it to their history.
WITH chosen AS (
  SELECT f.id, f.last_error FROM file_sync AS f
   WHERE f.id > :position AND f.id <= :last_id
     AND f.state = ANY(:possible::sync_state[])
     AND (f.state <> 'queued' OR (:waiting AND f.attempts > 0 AND f.leased_until IS NULL
                                  AND f.next_attempt_at > now()))
-- include: selection.sql
   ORDER BY f.id
   LIMIT :most
     FOR UPDATE OF f
)
INSERT INTO action_object (action_id, file_sync_id, reason)
SELECT :action_id, id, last_error FROM chosen
RETURNING file_sync_id AS id;

-- name: apply_retry(row_ids)
-- Puts rows back in the queue as if they were new; those and waiting rows become due at once. A
-- retry suggests that a cause was fixed, so the next probe of every pause becomes due as well.
WITH hastened AS (UPDATE pause SET probe_at = least(probe_at, now()), probes = 0)
UPDATE file_sync AS f
   SET state = 'queued', attempts_forgiven = f.attempts, deaths = 0, last_error = NULL,
       failed_at = NULL, next_attempt_at = now(), due_at = now(),
       queued_at = CASE f.state WHEN 'queued' THEN f.queued_at ELSE now() END
 WHERE f.id = ANY(:row_ids::bigint[])
RETURNING f.id;

-- name: apply_fetch_again(row_ids)
-- Puts synced rows back in the queue. What is recorded of their files remains until the new copy is
-- recorded, and the files remain until they are replaced.
WITH verified AS (DELETE FROM verification WHERE file_sync_id = ANY(:row_ids::bigint[]))
UPDATE file_sync AS f
   SET state = 'queued', synced_at = NULL, placed_at = coalesce(f.placed_at, f.synced_at),
       name_order = coalesce(f.placed_at, f.synced_at),
       attempts_forgiven = f.attempts, deaths = 0,
       unproven_etag = NULL, unproven_size = NULL, unproven_sha256 = NULL,
       next_attempt_at = now(), due_at = now(), queued_at = now()
 WHERE f.id = ANY(:row_ids::bigint[])
RETURNING f.id;

-- name: apply_dismiss(row_ids)
-- Dismisses failures.
UPDATE file_sync SET state = 'dismissed' WHERE id = ANY(:row_ids::bigint[]) RETURNING id;

-- name: apply_restore(row_ids)
-- Makes dismissed rows failed again.
UPDATE file_sync SET state = 'failed' WHERE id = ANY(:row_ids::bigint[]) RETURNING id;

-- name: apply_verify(row_ids)
-- Requests that files are read again; the previous result remains until then.
INSERT INTO verification AS v (file_sync_id, requested_at)
SELECT id, now() FROM unnest(:row_ids::bigint[]) AS id
ON CONFLICT (file_sync_id) DO UPDATE SET requested_at = now()
RETURNING file_sync_id AS id;

-- name: advance_action(action_id, position, objects, finished)
-- Records the progress of an action.
UPDATE action
   SET position = :position, objects = objects + :objects,
       finished_at = CASE WHEN :finished THEN clock_timestamp() END
 WHERE id = :action_id
RETURNING id, name, actor, selection, begun_at, finished_at, objects;

-- name: action(action_id)
-- Reads one action.
SELECT id, name, actor, selection, begun_at, finished_at, objects FROM action WHERE id = :action_id;

-- name: actions(before_id, most)
-- Reads the audit log, newest first.
SELECT id, name, actor, selection, begun_at, finished_at, objects FROM action
 WHERE (:before_id::bigint IS NULL OR id < :before_id::bigint) ORDER BY id DESC LIMIT :most;

-- name: actions_on(row_id)
-- Reads the actions on one object, newest first.
SELECT a.id, a.name, a.actor, a.begun_at, o.reason
  FROM action_object AS o JOIN action AS a ON a.id = o.action_id
 WHERE o.file_sync_id = :row_id ORDER BY a.id DESC LIMIT 100;

-- name: changed_by(action_id, row_ids)
-- Finds which of some objects an action changed.
SELECT file_sync_id AS id FROM action_object
 WHERE action_id = :action_id AND file_sync_id = ANY(:row_ids::bigint[]);
