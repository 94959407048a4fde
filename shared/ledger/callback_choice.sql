     AND (NOT :undelivered OR state = 'undelivered')
     AND (:ids::bigint[] IS NULL OR id = ANY(:ids::bigint[]))
     AND (:row_ids::bigint[] IS NULL OR file_sync_id = ANY(:row_ids::bigint[]))
     AND (:since::timestamptz IS NULL OR created_at >= :since::timestamptz)
