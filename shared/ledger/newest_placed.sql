       -- The newest placed file of the name `named.file_name`: of a row that a worker has, or of the
       -- last of the others, by the index of names alone. What the name has held before does not
       -- matter for the time.
       SELECT * FROM (
         (SELECT id, state, leased_until, claimed_at, etag, size_bytes, sha256, verified_by,
                 coalesce(placed_at, synced_at) AS placed
            FROM file_sync AS other
           WHERE other.file_name = named.file_name
             AND coalesce(other.name_order, other.synced_at) = 'infinity'
             AND coalesce(other.placed_at, other.synced_at) IS NOT NULL)
         UNION ALL
         (SELECT id, state, leased_until, claimed_at, etag, size_bytes, sha256, verified_by,
                 coalesce(placed_at, synced_at)
            FROM file_sync AS other
           WHERE other.file_name = named.file_name
             AND coalesce(other.name_order, other.synced_at) < 'infinity'
           ORDER BY coalesce(other.name_order, other.synced_at) DESC LIMIT 1)) AS either
        ORDER BY placed DESC LIMIT 1
