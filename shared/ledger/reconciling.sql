-- name: known_names(names)
-- What the ledger has of some names: the object whose file has the name now, and the newest one.
-- The file's is found by its index alone; the others of a name are few.
SELECT named.file_name AS name, stored.id AS stored_id, stored.state::text AS stored_state,
       stored.size_bytes, stored.etag, stored.placed AS placed_at, newest.state AS newest_state,
       newest.queued
  FROM unnest(:names::text[]) AS named(file_name)
 CROSS JOIN LATERAL (
   SELECT (array_agg(f.state ORDER BY f.id DESC))[1]::text AS state,
          bool_or(f.state::text = 'queued') AS queued
     FROM file_sync AS f WHERE f.file_name = named.file_name) AS newest
  LEFT JOIN LATERAL (
-- include: newest_placed.sql
       ) AS stored ON true
 WHERE newest.state IS NOT NULL;

-- name: existing_names(names)
-- Which names the ledger has any object of.
SELECT n.name FROM unnest(:names::text[]) AS n(name)
 WHERE EXISTS (SELECT FROM file_sync AS f WHERE f.file_name = n.name);

-- name: names_between(after, upto, pattern, most)
-- The names behind one and up to another, in the order of their bytes.
SELECT DISTINCT ON (file_name) file_name AS name FROM file_sync
 WHERE file_name ~>~ :after AND (:upto::text IS NULL OR file_name ~<=~ :upto::text)
   AND file_name LIKE :pattern
 ORDER BY file_name USING ~<~ LIMIT :most;

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
