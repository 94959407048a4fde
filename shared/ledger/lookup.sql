-- name: look_up(signatures)
-- Reads what became of some requests. The keys of other origins can be computed without a secret, so
-- they find nothing here. Whatever the row waits for, its time counts from PostgreSQL's clock.
SELECT payload_checksum, request_id, state, attempts, leased_until IS NOT NULL AS leased,
       last_error, size_bytes, sha256, verified_by, created_at, synced_at,
       CASE WHEN state::text IN ('failed', 'dismissed') THEN failed_at END AS failed_at,
       next_attempt_at,
       extract(epoch FROM next_attempt_at - now())::float8 AS seconds_until,
       extract(epoch FROM now() - queued_at)::float8 AS seconds_waited
  FROM file_sync
 WHERE payload_checksum = ANY(:signatures::bytea[]) AND origin = 'request';
