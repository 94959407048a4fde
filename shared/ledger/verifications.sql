-- name: verifications_requested(most)
-- Finds files that people requested to be read again, in the order of the requests.
SELECT f.id, f.file_name, f.size_bytes, f.sha256, f.synced_at, now() AS read_at
  FROM verification AS v JOIN file_sync AS f ON f.id = v.file_sync_id
 WHERE v.requested_at IS NOT NULL AND f.state = 'synced'
 ORDER BY v.requested_at, v.file_sync_id LIMIT :most;

-- name: verifications_waiting()
-- Counts the files that people requested to be read again.
SELECT count(*) AS objects FROM verification WHERE requested_at IS NOT NULL;

-- name: stored(after_id, last_id, most, modulus, remainder, millionths, seed)
-- Finds recorded files in the order of their ids: all, those whose id leaves a remainder, or a
-- random part that depends on the seed.
SELECT f.id, f.file_name, f.size_bytes, f.sha256, f.synced_at, now() AS read_at
  FROM file_sync AS f
 WHERE f.id > :after_id AND f.id <= :last_id AND f.state = 'synced'
   AND (:modulus::integer IS NULL OR mod(f.id, :modulus::integer) = :remainder::integer)
   AND (:millionths::integer IS NULL
        OR abs(mod(hashint8extended(f.id, :seed), 1000000)) < :millionths::integer)
 ORDER BY f.id LIMIT :most;

-- name: stored_by_ids(row_ids)
-- Finds the recorded files of some objects that are still synced.
SELECT f.id, f.file_name, f.size_bytes, f.sha256, f.synced_at, now() AS read_at
  FROM file_sync AS f WHERE f.id = ANY(:row_ids::bigint[]) AND f.state = 'synced' ORDER BY f.id;

-- name: record_verifications(row_ids, synced_at, read_at, results)
-- Records the results for files, except those that were copied again meanwhile. If another object
-- has been placed under the name since, the file is that object's.
WITH checked AS (
  SELECT * FROM unnest(:row_ids::bigint[], :synced_at::timestamptz[], :read_at::timestamptz[],
                       :results::text[]) AS t(id, synced_at, read_at, result)
), still AS (
  SELECT c.id, c.read_at,
         CASE WHEN c.result <> 'ok' AND EXISTS (
                SELECT FROM file_sync AS other
                 WHERE other.file_name = f.file_name AND other.id <> f.id
                   AND coalesce(other.placed_at, other.synced_at)
                       > coalesce(f.placed_at, f.synced_at)
                   AND coalesce(other.name_order, other.synced_at)  -- never less: for the index
                       > coalesce(f.placed_at, f.synced_at))
              THEN 'replaced' ELSE c.result END AS result
    FROM checked AS c
    JOIN file_sync AS f ON f.id = c.id AND f.synced_at = c.synced_at AND f.state = 'synced'
)
INSERT INTO verification AS v (file_sync_id, result, checked_at)
SELECT id, result, now() FROM still ORDER BY id
ON CONFLICT (file_sync_id) DO UPDATE
   SET result = excluded.result, checked_at = excluded.checked_at,
       -- A request made after the file was read remains.
       requested_at = CASE WHEN v.requested_at > (SELECT max(read_at) FROM still)
                           THEN v.requested_at END
RETURNING file_sync_id AS id, result;

-- name: verification_counts()
-- The exact numbers by result.
SELECT result, sum(objects)::bigint AS objects FROM verification_count GROUP BY result;

-- name: last_row()
-- The greatest id.
SELECT coalesce(max(id), 0) AS id FROM file_sync;

-- name: postpone_verifications(row_ids)
-- Moves the requests for some files behind all others.
UPDATE verification SET requested_at = clock_timestamp()
 WHERE file_sync_id = ANY(:row_ids::bigint[]) AND requested_at IS NOT NULL
RETURNING file_sync_id;

-- name: withdraw_verifications()
-- Withdraws what people asked for and is not done; what was found before stays.
WITH never AS (
  DELETE FROM verification WHERE requested_at IS NOT NULL AND result IS NULL RETURNING file_sync_id
), again AS (
  UPDATE verification SET requested_at = NULL
   WHERE requested_at IS NOT NULL AND result IS NOT NULL RETURNING file_sync_id
)
SELECT (SELECT count(*) FROM never) + (SELECT count(*) FROM again) AS objects;
