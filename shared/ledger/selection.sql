   -- The objects (f) of a Selection. A criterion that is not given is NULL; every parameter arrives
   -- as a literal, so the planner removes those criteria and uses the indexes of the others.
   AND (:ids::bigint[] IS NULL OR f.id = ANY(:ids::bigint[]))
   AND (:states::sync_state[] IS NULL OR f.state = ANY(:states::sync_state[]))
   -- Digests are few bytes; the name, which costs most to compare, comes last.
   AND (:search_text::text IS NULL
        OR f.id = :number::bigint
        OR f.payload_checksum BETWEEN :low::bytea AND :high::bytea
        OR f.sha256 BETWEEN :low::bytea AND :high::bytea
        OR f.oeid = :search_text::text OR f.ref_id = :search_text::text
        OR f.request_id = :search_text::text
        OR f.file_name ILIKE :piece::text)
   AND (:exact_reason::text IS NULL OR f.last_error IS NOT NULL AND :exact_reason::text =
-- include: reason.sql
       )
   AND (:changed_by::bigint IS NULL OR EXISTS (
         SELECT FROM action_object AS o
          WHERE o.file_sync_id = f.id AND o.action_id = :changed_by::bigint))
   AND (:reason::text IS NULL OR f.last_error ILIKE :reason::text)
   AND (:name::text IS NULL OR f.file_name LIKE :name::text)
   AND (:file_type::text IS NULL OR f.file_type = :file_type::text)
   AND (:origin::text IS NULL OR f.origin = :origin::text)
   -- Ids and times of acceptance grow together, up to a minute apart (see file_sync_id_at).
   AND (:received_from::timestamptz IS NULL
        OR (f.created_at >= :received_from::timestamptz
            AND f.id >= file_sync_id_at(:received_from::timestamptz - interval '1 minute')))
   AND (:received_before::timestamptz IS NULL
        OR (f.created_at < :received_before::timestamptz
            AND f.id < file_sync_id_at(:received_before::timestamptz + interval '1 minute')))
   AND (:failed_from::timestamptz IS NULL OR f.failed_at >= :failed_from::timestamptz)
   AND (:failed_before::timestamptz IS NULL OR f.failed_at < :failed_before::timestamptz)
   AND (:synced_from::timestamptz IS NULL
        OR (f.state = 'synced' AND f.synced_at >= :synced_from::timestamptz))
   AND (:synced_before::timestamptz IS NULL
        OR (f.state = 'synced' AND f.synced_at < :synced_before::timestamptz))
   -- Problems are few, and found by their index; the other results are looked up row by row.
   AND (:problems::text[] IS NULL OR f.id = ANY(ARRAY(
         SELECT file_sync_id FROM verification WHERE result = ANY(:problems::text[]))))
   AND (:verified::text[] IS NULL OR EXISTS (
         SELECT FROM verification AS v
          WHERE v.file_sync_id = f.id AND v.result = ANY(:verified::text[])))
   AND (NOT :unverified OR NOT EXISTS (
         SELECT FROM verification AS v WHERE v.file_sync_id = f.id AND v.result IS NOT NULL))
