-- name: record_found(origin, file_names, file_types, checksums, request_ids, due_in)
-- Records objects that no request told of, except those that were recorded before. The order prevents
-- a deadlock of two statements with the same keys.
INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum, request_id, origin,
                       due_at)
SELECT '', '', file_name, file_type, checksum, request_id, :origin,
       now() + make_interval(secs => :due_in)
  FROM unnest(:file_names::text[], :file_types::text[], :checksums::bytea[], :request_ids::text[])
    AS t(file_name, file_type, checksum, request_id)
 ORDER BY checksum
ON CONFLICT (payload_checksum) DO NOTHING
RETURNING id, payload_checksum;

-- name: recorded_found(checksums)
-- What was recorded before of some versions: each row, whether a worker is at another row of its name,
-- and the ETag of the object whose file has the name now. That one is found by its index alone.
SELECT named.id, named.payload_checksum, named.request_id, named.state::text AS state,
       named.leased_until IS NOT NULL AS in_flight, stored.etag AS stored_etag,
       EXISTS (SELECT FROM file_sync AS other
                WHERE other.file_name = named.file_name AND other.id <> named.id
                  AND other.state::text = 'queued' AND other.leased_until IS NOT NULL
              ) AS other_in_flight
  FROM file_sync AS named
  LEFT JOIN LATERAL (
-- include: newest_placed.sql
       ) AS stored ON true
 WHERE named.payload_checksum = ANY(:checksums::bytea[]);
