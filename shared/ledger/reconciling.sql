-- name: known_names(names)
-- What the ledger has of some names: the object whose file has the name now, and the newest one.
-- The file's is found by its index alone; the others of a name are few.
SELECT named.file_name AS name, stored.id AS stored_id, stored.state::text AS stored_state,
       stored.size_bytes, stored.etag, stored.placed AS placed_at, newest.queued,
       -- Nearly always the same row; an array_agg in the order of ids took longer than all the rest.
       CASE WHEN newest.id = stored.id THEN stored.state::text
            ELSE (SELECT f.state::text FROM file_sync AS f WHERE f.id = newest.id)
       END AS newest_state
  FROM unnest(:names::text[]) AS named(file_name)
 CROSS JOIN LATERAL (
   SELECT max(f.id) AS id, bool_or(f.state::text = 'queued') AS queued
     FROM file_sync AS f WHERE f.file_name = named.file_name) AS newest
  LEFT JOIN LATERAL (
-- include: newest_placed.sql
       ) AS stored ON true
 WHERE newest.id IS NOT NULL;

-- name: unknown_names(names)
-- Which names the ledger has no object of: few, so that few rows are sent.
SELECT n.name FROM unnest(:names::text[]) AS n(name)
 WHERE NOT EXISTS (SELECT FROM file_sync AS f WHERE f.file_name = n.name);

-- name: rows_between(after, upto, pattern, most)
-- The objects whose names are behind one and up to another, in the order of the names' bytes, and of
-- one name in the order in which their files were placed.
SELECT f.file_name AS name, f.id, f.state::text AS state, f.size_bytes, f.etag,
       coalesce(f.placed_at, f.synced_at) AS placed_at
  FROM file_sync AS f
 WHERE f.file_name ~>~ :after AND (:upto::text IS NULL OR f.file_name ~<=~ :upto::text)
   AND f.file_name LIKE :pattern
 ORDER BY f.file_name USING ~<~, coalesce(f.placed_at, f.synced_at) LIMIT :most;

-- name: recorded_versions(checksums)
-- Which versions of objects were recorded before, and are synced.
SELECT id, payload_checksum FROM file_sync
 WHERE payload_checksum = ANY(:checksums::bytea[]) AND state = 'synced';

-- name: found_names(run_id, kinds, names)
-- Which names have a finding of some kinds in a run.
SELECT DISTINCT file_name FROM run_finding
 WHERE run_id = :run_id AND finding = ANY(:kinds::text[]) AND file_name = ANY(:names::text[]);

-- name: forget_findings(run_id)
-- Removes the findings of a run, which begins anew.
DELETE FROM run_finding WHERE run_id = :run_id RETURNING finding;
