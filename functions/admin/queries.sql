-- name: page(state, settled, file_type, first_id, last_id, begins, ends, ids, least, most_attempts, fetched, sort, descending, cursor_id, cursor_text, cursor_number, cursor_moment, most)
-- Reads a part of a page of the list. Every parameter arrives as a literal, so the planner removes
-- what the page does not ask for and finds the one index that has the rest in order.
SELECT id, file_name, file_type, state, attempts, created_at, queued_at, synced_at, failed_at,
       next_attempt_at, size_bytes, sha256, last_error,
       (SELECT result FROM verification WHERE file_sync_id = id) AS verification
  FROM file_sync
 WHERE (:state::sync_state IS NULL OR state = :state::sync_state)
   AND (NOT :settled OR state <> 'queued')
   -- A range of one type and of ids leaves the planner only the index on both: it assumes that ids
   -- and types are unrelated, and would walk through all newer rows of other types.
   AND (:file_type::text IS NULL OR CASE WHEN :sort = 'created' AND NOT :fetched
         THEN (file_type, id) >= (:file_type::text, :first_id::bigint)
              AND (file_type, id) < (:file_type::text, :last_id::bigint)
         ELSE file_type = :file_type::text END)
   AND id >= :first_id::bigint
   AND id < :last_id::bigint
   AND (:begins::timestamptz IS NULL OR created_at >= :begins::timestamptz)
   AND (:ends::timestamptz IS NULL OR created_at < :ends::timestamptz)
   AND (:ids::bigint[] IS NULL OR id = ANY(:ids::bigint[]))
   AND (:sort <> 'synced' OR state = 'synced')
   AND (:sort <> 'size' OR state = 'synced')
   AND (:least::integer IS NULL OR attempts >= :least::integer)
   AND (:most_attempts::integer IS NULL OR attempts <= :most_attempts::integer)
   AND (:cursor_id::bigint IS NULL OR CASE
         WHEN :sort = 'name' AND :descending THEN file_name ~<=~ :cursor_text::text
         WHEN :sort = 'name' THEN file_name ~>=~ :cursor_text::text
         WHEN :sort = 'size' AND :descending
           THEN (size_bytes, id) < (:cursor_number::bigint, :cursor_id::bigint)
         WHEN :sort = 'size' THEN (size_bytes, id) > (:cursor_number::bigint, :cursor_id::bigint)
         WHEN :sort = 'attempts' AND :descending
           THEN (attempts, id) < (:cursor_number::integer, :cursor_id::bigint)
         WHEN :sort = 'attempts' THEN (attempts, id) > (:cursor_number::integer, :cursor_id::bigint)
         WHEN :sort = 'synced' AND :descending
           THEN (synced_at, id) < (:cursor_moment::timestamptz, :cursor_id::bigint)
         WHEN :sort = 'synced' THEN (synced_at, id) > (:cursor_moment::timestamptz, :cursor_id::bigint)
         WHEN :descending THEN (queued_at, id) < (:cursor_moment::timestamptz, :cursor_id::bigint)
         ELSE (queued_at, id) > (:cursor_moment::timestamptz, :cursor_id::bigint)
       END)
   AND (:cursor_id::bigint IS NULL OR :sort <> 'name' OR file_name <> :cursor_text::text
        OR CASE WHEN :descending THEN id < :cursor_id::bigint ELSE id > :cursor_id::bigint END)
 -- No index has this first key, which orders nothing: few rows match, so all of them are fetched.
 ORDER BY CASE WHEN :fetched THEN id - id END,
          CASE WHEN :sort = 'name' AND :descending THEN file_name END USING ~>~,
          CASE WHEN :sort = 'name' AND NOT :descending THEN file_name END USING ~<~,
          CASE WHEN :sort = 'size' AND :descending THEN size_bytes END DESC,
          CASE WHEN :sort = 'size' AND NOT :descending THEN size_bytes END,
          CASE WHEN :sort = 'attempts' AND :descending THEN attempts END DESC,
          CASE WHEN :sort = 'attempts' AND NOT :descending THEN attempts END,
          CASE WHEN :sort = 'synced' AND :descending THEN synced_at END DESC,
          CASE WHEN :sort = 'synced' AND NOT :descending THEN synced_at END,
          CASE WHEN :sort = 'queued' AND :descending THEN queued_at END DESC,
          CASE WHEN :sort = 'queued' AND NOT :descending THEN queued_at END,
          CASE WHEN :sort = 'created' AND :file_type IS NOT NULL AND :descending
               THEN file_type END DESC,
          CASE WHEN :sort = 'created' AND :file_type IS NOT NULL AND NOT :descending
               THEN file_type END,
          CASE WHEN :descending THEN id END DESC,
          CASE WHEN NOT :descending THEN id END
 LIMIT :most;

-- name: type_count(state, file_type, most)
-- Counts the objects of a type, and of a state if one is given, up to `most`.
SELECT count(*) AS objects FROM (
  SELECT FROM file_sync
   WHERE file_type = :file_type AND (:state::sync_state IS NULL OR state = :state::sync_state)
   ORDER BY CASE WHEN :state::sync_state IS NOT NULL THEN queued_at END, id
   LIMIT :most) AS first_ones;

-- name: search(text, pattern, low, high, number, most)
-- Finds the objects that a text may mean by the indexes there are, each at most `most` rows.
(SELECT id FROM file_sync
  WHERE file_name LIKE :pattern ORDER BY file_name USING ~<~ LIMIT :most)
UNION ALL
(SELECT file_sync_id FROM search_key
  WHERE last_segment LIKE :pattern ORDER BY last_segment USING ~<~ LIMIT :most)
UNION ALL
(SELECT f.id FROM search_key AS k JOIN file_sync AS f ON f.id = k.file_sync_id
  WHERE k.oeid = hashtextextended(:text, 0) AND f.oeid = :text LIMIT :most)
UNION ALL
(SELECT f.id FROM search_key AS k JOIN file_sync AS f ON f.id = k.file_sync_id
  WHERE k.ref_id = hashtextextended(:text, 0) AND f.ref_id = :text LIMIT :most)
UNION ALL
(SELECT id FROM file_sync
  WHERE payload_checksum BETWEEN :low::bytea AND :high::bytea ORDER BY payload_checksum LIMIT :most)
UNION ALL
(SELECT id FROM file_sync WHERE id = :number::bigint);

-- name: verified(results, most)
-- Finds the files whose last verification had one of these results.
SELECT file_sync_id AS id FROM verification WHERE result = ANY(:results::text[])
 ORDER BY file_sync_id DESC LIMIT :most;

-- name: action_outcomes(action_id, ids, most)
-- Counts what became of the first objects that an action changed, by state and verification.
SELECT f.state, v.result, count(*) AS objects
  FROM (SELECT file_sync_id, action_id FROM action_object
         WHERE action_id = :action_id
           AND (:ids::bigint[] IS NULL OR file_sync_id = ANY(:ids::bigint[]))
         LIMIT :most) AS o
  JOIN action AS a ON a.id = o.action_id
  JOIN file_sync AS f ON f.id = o.file_sync_id
  LEFT JOIN verification AS v ON v.file_sync_id = f.id AND v.checked_at >= a.begun_at
 GROUP BY 1, 2;

-- name: action_lines(action_id, ids, most, problems, lines)
-- Reads some of the objects that an action changed, those with a problem first.
SELECT f.id, f.file_name, f.state, v.result, f.last_error
  FROM (SELECT file_sync_id, action_id FROM action_object
         WHERE action_id = :action_id
           AND (:ids::bigint[] IS NULL OR file_sync_id = ANY(:ids::bigint[]))
         LIMIT :most) AS o
  JOIN action AS a ON a.id = o.action_id
  JOIN file_sync AS f ON f.id = o.file_sync_id
  LEFT JOIN verification AS v ON v.file_sync_id = f.id AND v.checked_at >= a.begun_at
 ORDER BY CASE WHEN a.name = 'verify' THEN coalesce(v.result = ANY(:problems::text[]), false)
               ELSE f.state = 'failed' AND a.name <> 'restore' END DESC, f.id
 LIMIT :lines;

-- name: id_at(moment)
-- Finds the first id accepted at or after a moment.
SELECT file_sync_id_at(:moment) AS id;

-- name: file_types()
-- Lists the types in use by skipping through their index.
WITH RECURSIVE type AS (
  (SELECT file_type FROM file_sync ORDER BY file_type LIMIT 1)
  UNION ALL
  SELECT (SELECT file_type FROM file_sync
           WHERE file_type > type.file_type ORDER BY file_type LIMIT 1)
    FROM type WHERE type.file_type IS NOT NULL
)
SELECT file_type FROM type WHERE file_type IS NOT NULL LIMIT 100;

-- name: object(row_id)
-- Reads all columns of one object.
SELECT id, oeid, ref_id, file_name, file_type, payload_checksum, request_id, state, attempts,
       attempts_forgiven, next_attempt_at, due_at, leased_until, claimed_at, last_error,
       created_at, queued_at, synced_at, file_path, size_bytes, sha256, etag,
       verified_by, result AS verification, checked_at, origin, failed_at,
       requested_at AS verification_requested_at
  FROM file_sync LEFT JOIN verification ON file_sync_id = id WHERE id = :row_id;

-- name: attempts(row_id)
-- Reads the newest attempts and actions on one object.
SELECT attempt, outcome::text AS outcome, reason, started_at, finished_at, NULL AS actor
  FROM sync_attempt WHERE file_sync_id = :row_id
UNION ALL
SELECT NULL, a.name, o.reason, a.begun_at, a.begun_at, a.actor
  FROM action_object AS o JOIN action AS a ON a.id = o.action_id
 WHERE o.file_sync_id = :row_id
 ORDER BY finished_at DESC, attempt DESC NULLS LAST LIMIT 100;

-- name: files(row_ids)
-- Reads what is recorded of the files of some objects, in the order of their ids.
SELECT id, file_name, file_type, state, size_bytes, sha256
  FROM file_sync WHERE id = ANY(:row_ids::bigint[]) ORDER BY id;

-- name: newest_file(file_name)
-- Finds the object whose file has this name now: if several rows name one file, the last one won.
WITH named AS MATERIALIZED (
  SELECT id, file_name, file_type, state, size_bytes, sha256, synced_at
    FROM file_sync WHERE file_name = :file_name AND state = 'synced'
)
SELECT id, file_name, file_type, state, size_bytes, sha256
  FROM named ORDER BY synced_at DESC, id DESC LIMIT 1;

-- name: rates(since, step_seconds)
-- Counts the attempts that ended, by step of time, outcome and duration.
SELECT date_bin(make_interval(secs => :step_seconds), minute, 'epoch'::timestamptz) AS step,
       outcome, bucket, sum(objects)::bigint AS objects
  FROM sync_rate
 WHERE minute >= :since
 GROUP BY 1, 2, 3
 ORDER BY 1;

-- name: rates_by_hour(since, step_seconds)
-- The same from the hours, for steps that are whole hours.
SELECT date_bin(make_interval(secs => :step_seconds), hour, 'epoch'::timestamptz) AS step,
       outcome, bucket, sum(objects)::bigint AS objects
  FROM sync_rate_hour
 WHERE hour >= :since
 GROUP BY 1, 2, 3
 ORDER BY 1;

-- name: beginnings()
-- Finds since when there are failed objects, damaged files and undelivered callbacks: of each the
-- oldest, by an index; of the damaged, which are few, the one found first.
SELECT (SELECT failed_at FROM file_sync
         WHERE state = 'failed' ORDER BY queued_at, id LIMIT 1) AS failed,
       (SELECT min(checked_at)
          FROM (SELECT checked_at FROM verification
                 WHERE result IN ('damaged', 'missing', 'unreadable') LIMIT 1000) AS found) AS problems,
       (SELECT created_at FROM callback
         WHERE state = 'undelivered' ORDER BY id LIMIT 1) AS undelivered;

-- name: revoke_session(sid, expires)
-- Ends a session before its time; forgets those that have expired since.
WITH expired AS (DELETE FROM admin_logout WHERE expires < now())
INSERT INTO admin_logout (sid, expires) VALUES (:sid, to_timestamp(:expires))
ON CONFLICT (sid) DO NOTHING
RETURNING sid;

-- name: session_revoked(sid)
-- Returns whether a session was ended by a logout.
SELECT EXISTS (SELECT FROM admin_logout WHERE sid = :sid) AS revoked;
