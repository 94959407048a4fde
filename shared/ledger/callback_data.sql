         json_build_object(
           'signature', CASE f.origin WHEN 'request' THEN encode(f.payload_checksum, 'hex') END,
           'oeid', f.oeid, 'ref_id', f.ref_id, 'file_name', f.file_name, 'file_type', f.file_type,
           'request_id', f.request_id, 'state', f.state, 'attempts', f.attempts,
           'reason', f.last_error,
           'size_bytes', CASE f.state WHEN 'synced' THEN f.size_bytes END,
           'sha256', CASE f.state WHEN 'synced' THEN encode(f.sha256, 'hex') END,
           'verified_by', CASE f.state WHEN 'synced' THEN f.verified_by END,
           'created_at', to_char(f.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           'synced_at', to_char(f.synced_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           'failed_at', to_char(f.failed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
