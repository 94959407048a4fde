-- name: begin_run(kind, actor, options)
-- Begins a run, unless one of this kind is running.
INSERT INTO run (kind, actor, options) VALUES (:kind, :actor, :options::jsonb)
ON CONFLICT (kind) WHERE state = 'running' DO NOTHING
RETURNING id;

-- name: take_run(kind, holder, lease_seconds)
-- Takes the running run of a kind, unless another process holds it.
UPDATE run
   SET holder = :holder, leased_until = now() + make_interval(secs => :lease_seconds)
 WHERE kind = :kind AND state = 'running' AND (leased_until <= now() OR holder = :holder)
RETURNING *;

-- name: save_run(run_id, holder, lease_seconds, position, numbers, error)
-- Records a run's progress and extends its holder's lease; no row if another one holds it now.
UPDATE run
   SET position = :position::jsonb, numbers = :numbers::jsonb, error = :error,
       leased_until = now() + make_interval(secs => :lease_seconds)
 WHERE id = :run_id AND state = 'running' AND holder = :holder
RETURNING id;

-- name: add_findings(run_id, findings, file_names, row_ids, sizes, etags, details)
-- Adds findings; an existing one is replaced, so that a slice may be repeated.
INSERT INTO run_finding (run_id, finding, file_name, file_sync_id, size_bytes, etag, detail)
SELECT :run_id, * FROM unnest(
  :findings::text[], :file_names::text[], :row_ids::bigint[], :sizes::bigint[], :etags::text[],
  :details::text[])
ON CONFLICT (run_id, finding, file_name) DO UPDATE
   SET file_sync_id = excluded.file_sync_id, size_bytes = excluded.size_bytes,
       etag = excluded.etag, detail = excluded.detail
RETURNING finding;

-- name: release_run(run_id, holder)
-- Lets another process take a run at once.
UPDATE run SET leased_until = now() WHERE id = :run_id AND holder = :holder AND state = 'running'
RETURNING id;

-- name: end_run(run_id, outcome, error)
-- Ends a run.
UPDATE run
   SET state = :outcome, error = coalesce(:error, error), finished_at = clock_timestamp(),
       leased_until = now()
 WHERE id = :run_id AND state = 'running'
RETURNING id;

-- name: run(run_id)
-- Reads one run.
SELECT * FROM run WHERE id = :run_id;

-- name: runs(kind, before_id, most)
-- Reads the runs of a kind, or all, newest first.
SELECT * FROM run
 WHERE (:kind::text IS NULL OR kind = :kind::text)
   AND (:before_id::bigint IS NULL OR id < :before_id::bigint)
 ORDER BY id DESC LIMIT :most;

-- name: findings(run_id, kinds, after_finding, after_name, most)
-- Reads findings of a run, sorted by kind and name.
SELECT finding, file_name, file_sync_id, size_bytes, etag, detail FROM run_finding
 WHERE run_id = :run_id AND (:kinds::text[] IS NULL OR finding = ANY(:kinds::text[]))
   AND (finding, file_name) > (:after_finding, :after_name)
 ORDER BY finding, file_name LIMIT :most;
