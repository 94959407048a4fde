-- name: others()
-- Counts the connections to this database beside this one.
SELECT count(*) AS number FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend';

-- name: expired()
-- Counts the counters that have expired.
SELECT count(*) AS number FROM counter WHERE expires_at < now();
