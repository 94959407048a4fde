-- name: id_bounds()
-- Returns the least and the greatest id, 0 and 0 if there is no object.
SELECT coalesce(min(id), 0) AS least, coalesce(max(id), 0) AS greatest FROM file_sync;

-- name: scan(first, before, most, ids, states, search_text, piece, low, high, number, reason, exact_reason, name, file_type, origin, received_from, received_before, failed_from, failed_before, synced_from, synced_before, problems, verified, unverified, changed_by)
-- Finds the newest of the selected objects within a range of ids.
SELECT f.id FROM file_sync AS f
 WHERE f.id >= :first AND f.id < :before
-- include: selection.sql
 ORDER BY f.id DESC LIMIT :most;

-- name: scan_count(first, before, most, possible, waiting, ids, states, search_text, piece, low, high, number, reason, exact_reason, name, file_type, origin, received_from, received_before, failed_from, failed_before, synced_from, synced_before, problems, verified, unverified, changed_by)
-- Counts the selected objects within a range of ids, up to `most`; of those that an action would
-- change, if the states are given that it applies to.
SELECT count(*) AS objects FROM (
  SELECT FROM file_sync AS f
   WHERE f.id >= :first AND f.id < :before
     AND (:possible::sync_state[] IS NULL
          OR (f.state = ANY(:possible::sync_state[])
              AND (f.state <> 'queued' OR (:waiting AND f.attempts > 0 AND f.leased_until IS NULL
                                           AND f.next_attempt_at > now()))))
-- include: selection.sql
   LIMIT :most) AS found;

-- name: accepted_at(row_id)
-- Finds when the first object from an id on was accepted.
SELECT created_at FROM file_sync WHERE id >= :row_id ORDER BY id LIMIT 1;
