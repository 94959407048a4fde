"""A ledger with rows of every state, type, size and number of attempts, ties included."""

ROWS = 180

FILL = f"""
INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum, request_id, state,
    attempts, created_at, queued_at, synced_at, file_path, size_bytes, sha256, last_error)
SELECT 'oeid-' || i / 3, 'ref-' || i,
  CASE WHEN i % 2 = 0 THEN 'folder/' ELSE '' END || 'file_' || lpad((i * 7 % 100)::text, 3, '0'),
  CASE WHEN i % 10 = 0 THEN 'image/png' ELSE 'image/jpeg' END, sha256(i::text::bytea), 'r',
  s.state, i % 4, now() - interval '10 days' + i * interval '1 hour',
  now() - interval '10 days' + i * interval '1 hour',
  CASE s.state WHEN 'synced' THEN now() - (i % 7) * interval '1 hour' END,
  CASE s.state WHEN 'synced' THEN 'x' END, CASE s.state WHEN 'synced' THEN i % 5 END,
  CASE s.state WHEN 'synced' THEN sha256('x') END, 'reason: ' || i
FROM generate_series(1, {ROWS}) AS i,
     LATERAL (SELECT (CASE WHEN i % 3 = 0 THEN 'queued' WHEN i % 3 = 1 THEN 'synced'
                      ELSE 'failed' END)::sync_state AS state) AS s
"""  # our own number
