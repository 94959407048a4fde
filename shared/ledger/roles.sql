-- What each function may do in the ledger. `migrate` runs this file after the migrations, in their
-- transaction, and first takes back what an earlier release granted.
-- A role may read and change the columns that its statements name; the tests run all functions so.
-- The `sync_actions` are what actions do to objects: several functions finish them.
-- Triggers run with the rights of their statement, so whoever changes objects changes the counters.

GRANT USAGE ON SCHEMA {schema} TO {roles};

GRANT SELECT, INSERT, UPDATE ON action TO sync_actions;
GRANT SELECT, INSERT ON action_object TO sync_actions;
GRANT SELECT, INSERT, UPDATE, DELETE ON verification TO sync_actions;
GRANT SELECT, INSERT, UPDATE ON verification_count, sync_count TO sync_actions;
GRANT SELECT, UPDATE (probe_at, probes) ON pause TO sync_actions;
GRANT SELECT, UPDATE (state, attempts_forgiven, deaths, last_error, failed_at, next_attempt_at,
                      due_at, queued_at, synced_at, placed_at, name_order,
                      unproven_etag, unproven_size, unproven_sha256)
   ON file_sync TO sync_actions;
GRANT sync_actions TO sync_admin, sync_reconcile, sync_requeue, sync_s3_events, sync_scrub;

GRANT INSERT, SELECT (id, payload_checksum, request_id, created_at) ON file_sync TO sync_ingest;
GRANT SELECT, INSERT, UPDATE ON sync_count TO sync_ingest;

GRANT INSERT ON file_sync TO sync_s3_events;

GRANT SELECT ON file_sync, sync_count, sync_rate, pause, heartbeat, callback, verification,
                verification_count, run
   TO sync_requeue, sync_stats; -- of the ledger's metrics

GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO sync_admin;
GRANT SELECT, INSERT, UPDATE, DELETE ON counter
   TO sync_admin, sync_ingest, sync_s3_events, sync_stats;
GRANT INSERT, UPDATE, DELETE ON admin_logout TO sync_admin;
GRANT INSERT, UPDATE ON run TO sync_admin;
GRANT UPDATE (state, attempts_forgiven, next_attempt_at, give_up_at, delivered_at)
   ON callback TO sync_admin;

GRANT SELECT, UPDATE (state, attempts, attempts_forgiven, deaths, claimed_at, leased_until,
                      next_attempt_at, due_at, last_error, failed_at, synced_at, placed_at,
                      name_order, file_path, size_bytes, sha256, etag, verified_by,
                      unproven_etag, unproven_size, unproven_sha256)
   ON file_sync TO sync_worker;
GRANT INSERT ON sync_attempt, callback TO sync_worker;
GRANT SELECT, INSERT, UPDATE ON sync_count, sync_rate, sync_rate_hour TO sync_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON pause, heartbeat TO sync_worker;
GRANT SELECT, UPDATE (storage_place) ON installation TO sync_worker;

GRANT UPDATE (leased_until) ON file_sync TO sync_requeue;
GRANT INSERT ON sync_attempt, callback TO sync_requeue;
GRANT SELECT, INSERT, UPDATE ON sync_rate, sync_rate_hour TO sync_requeue;
GRANT SELECT, INSERT, UPDATE, DELETE ON heartbeat TO sync_requeue;

GRANT SELECT, INSERT, UPDATE ON run, run_finding TO sync_scrub;
GRANT SELECT, UPDATE (storage_place) ON installation TO sync_scrub;

GRANT INSERT ON file_sync TO sync_reconcile;
GRANT SELECT, INSERT, UPDATE ON run TO sync_reconcile;
GRANT SELECT, INSERT, UPDATE, DELETE ON run_finding TO sync_reconcile;
GRANT SELECT, UPDATE (storage_place) ON installation TO sync_reconcile;

GRANT SELECT, UPDATE (state, attempts, attempts_forgiven, leased_until, next_attempt_at,
                      delivered_at, last_error)
   ON callback TO sync_notify;
GRANT SELECT, INSERT, UPDATE, DELETE ON pause TO sync_notify;
