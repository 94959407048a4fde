-- name: record(oeids, ref_ids, file_names, file_types, checksums, request_ids, delay)
-- Records accepted requests, except those whose signature (the idempotency key) is known: no row
-- is returned for them. The order prevents a deadlock of two statements with the same signatures.
INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum, request_id, due_at)
SELECT oeid, ref_id, file_name, file_type, checksum, request_id,
       now() + make_interval(secs => :delay)
  FROM unnest(
    :oeids::text[], :ref_ids::text[], :file_names::text[], :file_types::text[],
    :checksums::bytea[], :request_ids::text[]
  ) AS t(oeid, ref_id, file_name, file_type, checksum, request_id)
 ORDER BY checksum
ON CONFLICT (payload_checksum) DO NOTHING
RETURNING id, payload_checksum, request_id;

-- name: recorded_by(checksums, request_ids)
-- Finds the rows that these very requests recorded, if the answer to `record` was lost. An older row
-- is an earlier request's that had the same id, as its client sent it.
SELECT id, payload_checksum, request_id
  FROM file_sync
  JOIN unnest(:checksums::bytea[], :request_ids::text[]) AS t(payload_checksum, request_id)
 USING (payload_checksum, request_id)
 WHERE created_at > now() - interval '1 minute';

-- name: replicated()
-- Commits something that is written to the log, and so waits, where a standby is synchronous, until it
-- has all that was committed before. A row whose commit still waits for the standby becomes visible
-- when that wait is cancelled or the server starts again: it may yet be lost with its server.
SELECT pg_logical_emit_message(true, 'external-storage-sync', '');

-- name: claim(row_ids, suspect, grouped, one_per_name, most, lease_seconds, max_attempts)
-- Claims rows for one attempt each, counted before anything is downloaded. A suspect is a row whose
-- last worker is presumed dead; that lost attempt is added to the history. Several suspects at a
-- time are claimed `grouped`: without those that two workers died with, or that have one attempt
-- left. These are claimed alone, and each may be, before it is failed for the deaths of workers.
-- Of more rows than may be claimed, those that were attempted least come first.
-- With `one_per_name`, a row waits while another of its name is attempted, so that one download
-- serves both. It does not wait if the file in place was requested after the row was queued: many
-- such rows are then compared with it at the same time. The names are locked first, against other
-- claims alone, so that no two workers can begin with rows of one name. The second statement reads
-- what was committed before it got the locks; both are sent as one, and wait for nothing else.
-- Here and everywhere rows are found by their ids: compared as text, the state suits no index of
-- queued rows, which looks short where statistics are older than a backlog of hundreds of thousands.
SELECT pg_advisory_xact_lock(1, name_key)
  FROM (SELECT DISTINCT hashtext(file_name) AS name_key FROM file_sync
         WHERE :one_per_name AND id = ANY(:row_ids::bigint[]) AND state::text = 'queued'
         ORDER BY name_key) AS ordered;
WITH candidate AS (
  SELECT id, attempts, claimed_at, file_name, queued_at, sha256 IS NOT NULL AS fetched_before,
         coalesce(placed_at, synced_at) IS NULL AS never_placed
    FROM file_sync
   WHERE id = ANY(:row_ids::bigint[])
     AND state::text = 'queued'
     AND next_attempt_at <= now()
     AND (leased_until IS NOT NULL) = :suspect
     AND (leased_until IS NULL OR leased_until < now())
     AND (NOT :grouped OR (deaths = 0 AND attempts - attempts_forgiven < :max_attempts - 1))
     AND (attempts - attempts_forgiven < :max_attempts OR (:suspect AND deaths = 0))
   ORDER BY attempts, id
   LIMIT :most
     FOR UPDATE SKIP LOCKED
), named AS (
  SELECT *, min(id) FILTER (WHERE never_placed) OVER (PARTITION BY file_name) AS first_id
    FROM candidate
), due AS (
  -- The rows that wait for no other: neither the newest that was placed nor one that has not been
  -- placed yet is attempted, or comes first. Both are found by the index of names, however many
  -- rows a name has had. A row whose file is fetched again is not compared: a download was asked for.
  SELECT named.id, named.attempts, named.claimed_at, stored.etag, stored.size_bytes, stored.sha256,
         stored.verified_by,
         (stored.state::text = 'synced') IS TRUE AND NOT named.fetched_before AS comparable
    FROM named
    LEFT JOIN LATERAL (
-- include: newest_placed.sql
         ) AS stored ON true
   WHERE NOT :one_per_name
      OR (stored.state::text = 'synced' AND stored.claimed_at >= named.queued_at)
      OR ((stored.state::text = 'queued' AND stored.leased_until > now()) IS NOT TRUE
          AND (named.first_id < named.id) IS NOT TRUE
          AND NOT EXISTS (
            SELECT FROM file_sync AS other
             WHERE other.file_name = named.file_name
               AND coalesce(other.name_order, other.synced_at) = 'infinity'
               AND coalesce(other.placed_at, other.synced_at) IS NULL
               AND other.state::text = 'queued' AND other.leased_until > now()))
), lost AS (
  INSERT INTO sync_attempt (file_sync_id, attempt, outcome, reason, started_at)
  SELECT id, attempts, 'lost', 'The worker stopped without an answer', claimed_at
    FROM due WHERE :suspect
)
UPDATE file_sync AS f
   SET attempts = f.attempts + 1,
       deaths = f.deaths + (:suspect)::integer,
       claimed_at = now(),
       leased_until = now() + make_interval(secs => :lease_seconds),
       name_order = 'infinity',
       due_at = now() + make_interval(secs => :lease_seconds)
  FROM due
 WHERE f.id = due.id
RETURNING f.id, f.attempts, f.file_name, f.queued_at,
          f.attempts - f.attempts_forgiven - f.deaths AS counted_attempts, f.request_id,
          f.claimed_at, f.unproven_etag, f.unproven_size, f.unproven_sha256, due.comparable,
          due.etag AS stored_etag, due.size_bytes AS stored_size, due.sha256 AS stored_sha256,
          due.verified_by AS stored_verified_by;

-- name: waiting(row_ids, max_attempts)
-- Which rows could be claimed but for another of their name.
SELECT id, file_name FROM file_sync
 WHERE id = ANY(:row_ids::bigint[]) AND state::text = 'queued'
   AND next_attempt_at <= now() AND leased_until IS NULL
   AND attempts - attempts_forgiven < :max_attempts
 ORDER BY id;

-- name: waiting_for(names, most)
-- Finds rows that can be claimed and that have had no file yet, by their names.
SELECT f.id
  FROM (SELECT DISTINCT name FROM unnest(:names::text[]) AS name) AS n
 CROSS JOIN LATERAL (
   SELECT id FROM file_sync AS other
    WHERE other.file_name = n.name AND coalesce(other.name_order, other.synced_at) IS NULL
      AND other.state::text = 'queued' AND other.next_attempt_at <= now()
      AND other.leased_until IS NULL
    LIMIT :most) AS f
 LIMIT :most;

-- name: undelivered(most, newest, delivery_seconds)
-- The rows that may be attempted now and whose messages wait in the queue: the newest, so that a
-- fresh request passes a backlog, and those that have waited longest. Publishing a row again makes it
-- due later, but no newer. Few rows are looked at: all the newest may wait for their next attempt.
(SELECT id
   FROM (SELECT id, leased_until, next_attempt_at FROM file_sync
          WHERE state = 'queued' ORDER BY queued_at DESC LIMIT 500) AS latest
  WHERE leased_until IS NULL AND next_attempt_at <= now()
  LIMIT :newest)
UNION
(SELECT id FROM file_sync
  WHERE state = 'queued' AND due_at <= now() + make_interval(secs => :delivery_seconds)
    AND leased_until IS NULL AND next_attempt_at <= now()
  ORDER BY due_at LIMIT :most - :newest);

-- name: hand_back(row_ids)
-- Makes rows due at once whose messages reached a worker that did not come to them.
WITH left_over AS (
  SELECT id FROM file_sync
   WHERE id = ANY(:row_ids::bigint[]) AND state::text = 'queued'
     AND next_attempt_at <= now() AND due_at > now()
     AND (leased_until IS NULL OR leased_until < now())
   ORDER BY id
     FOR UPDATE SKIP LOCKED
)
UPDATE file_sync AS f SET due_at = now() FROM left_over WHERE f.id = left_over.id
RETURNING f.id;

-- name: extend(row_ids, attempts, lease_seconds)
-- Extends leases; rows that are not returned are held by another worker by now. Here and everywhere,
-- several rows are locked in the order of their ids, so that no two statements can deadlock, and each
-- is looked up by its id, by a lateral join: PostgreSQL takes rows with a lease to be few, and would
-- compare each of them with each of ours.
WITH mine AS (
  SELECT * FROM unnest(:row_ids::bigint[], :attempts::integer[]) AS t(id, attempt) ORDER BY id
), held AS (
  SELECT f.id
    FROM mine
   CROSS JOIN LATERAL (
     SELECT id FROM file_sync
      WHERE id = mine.id AND attempts = mine.attempt
        AND state::text = 'queued' AND leased_until IS NOT NULL
        FOR UPDATE) AS f
)
UPDATE file_sync AS f
   SET leased_until = now() + make_interval(secs => :lease_seconds),
       due_at = now() + make_interval(secs => :lease_seconds)
  FROM held
 WHERE f.id = held.id
RETURNING f.id;

-- name: lock_names(folded_names)
-- Locks these names until the commit, so that files of one name are placed one after another. Returns
-- whether the server frees them if the worker freezes meanwhile, see `free_if_frozen`.
SELECT pg_advisory_xact_lock(name_key),
       current_setting('idle_in_transaction_session_timeout') <> '0' AS freed_if_frozen
  FROM (SELECT DISTINCT hashtextextended(name, 0) AS name_key
          FROM unnest(:folded_names::text[]) AS name
         ORDER BY name_key) AS ordered;

-- name: free_if_frozen()
-- If this worker freezes, lets the server roll its transaction back, which frees names and rows. A
-- statement of its own: RDS Proxy keeps a whole connection for a client that sets anything. There the
-- role of the worker has the same setting, see `roles`.
SELECT set_config('idle_in_transaction_session_timeout', '10s', true);

-- name: hold(row_ids, attempts, etags, in_place)
-- Locks the claims that are still held by their worker until the commit, returns for each whether
-- another version was placed under its name since the claim, and notes that the others are placed
-- now. The note is committed with the rename, long before the row is synced: names may take long to
-- reach the disk, and meanwhile no older version may replace a newer one. A copy that is in place
-- already must be the newest of all: what was placed before the claim may have been noted since.
WITH mine AS (
  SELECT * FROM unnest(:row_ids::bigint[], :attempts::integer[], :etags::text[],
                       :in_place::boolean[])
    AS t(id, attempt, etag, in_place) ORDER BY id
), held AS (
  SELECT f.id, f.file_name, f.claimed_at, mine.etag, mine.in_place
    FROM mine
   CROSS JOIN LATERAL (
     SELECT id, file_name, claimed_at FROM file_sync
      WHERE id = mine.id AND attempts = mine.attempt
        AND state::text = 'queued' AND leased_until IS NOT NULL
        FOR UPDATE) AS f
), checked AS (
  SELECT named.id, named.etag,
         (named.in_place OR newest.placed > named.claimed_at) IS TRUE
         AND newest.etag IS DISTINCT FROM named.etag AS outdated
    FROM held AS named
    LEFT JOIN LATERAL (
-- include: newest_placed.sql
         ) AS newest ON true
), placed AS (
  UPDATE file_sync AS f SET placed_at = clock_timestamp(), etag = checked.etag
    FROM checked WHERE f.id = checked.id AND NOT checked.outdated
)
SELECT id, outdated FROM checked;

-- name: settle(row_ids, attempts, outcomes, reasons, delays, forgiven, paths, sizes, digests, etags, verified_by, unproven_etags, unproven_sizes, unproven_digests, callbacks)
-- Records how attempts ended and adds them to the history, but only for rows that are still held by
-- that very attempt. An attempt that does not count enters the history once for each reason, so that
-- the probes of a long pause do not fill it. A copy that nothing proved stays recorded until the next
-- of its kind. With `callbacks`, what the client is to be told is recorded in the same transaction.
WITH ended AS (
  SELECT * FROM unnest(
    :row_ids::bigint[], :attempts::integer[], :outcomes::attempt_outcome[], :reasons::text[],
    :delays::float8[], :forgiven::integer[], :paths::text[], :sizes::bigint[], :digests::bytea[],
    :etags::text[], :verified_by::text[], :unproven_etags::text[], :unproven_sizes::bigint[],
    :unproven_digests::bytea[]
  ) AS t(id, attempt, outcome, reason, delay, forgiven, path, size, digest, etag, verified_by,
         unproven_etag, unproven_size, unproven_sha256)
   ORDER BY id
), held AS (
  SELECT f.id, f.last_error AS reason_before
    FROM ended AS e
   CROSS JOIN LATERAL (
     SELECT id, last_error FROM file_sync
      WHERE id = e.id AND attempts = e.attempt
        AND state::text = 'queued' AND leased_until IS NOT NULL
        FOR UPDATE) AS f
), settled AS (
  UPDATE file_sync AS f
     SET state = CASE e.outcome WHEN 'synced' THEN 'synced' WHEN 'failed' THEN 'failed'
                 ELSE 'queued' END::sync_state,
         attempts_forgiven = f.attempts_forgiven + e.forgiven + f.deaths,
         deaths = 0,  -- it answers: the workers died of something else
         leased_until = NULL,
         name_order = f.placed_at,
         last_error = e.reason,
         failed_at = CASE e.outcome WHEN 'failed' THEN clock_timestamp() END,
         next_attempt_at = now() + make_interval(secs => e.delay),
         due_at = now() + make_interval(secs => e.delay),
         synced_at = CASE e.outcome WHEN 'synced' THEN clock_timestamp() END,
         -- Of an object that is fetched again, what was recorded of its file stays until then.
         file_path = coalesce(e.path, f.file_path), size_bytes = coalesce(e.size, f.size_bytes),
         sha256 = coalesce(e.digest, f.sha256),
         etag = CASE WHEN e.path IS NULL THEN f.etag ELSE e.etag END,
         verified_by = coalesce(e.verified_by, f.verified_by),
         unproven_etag = coalesce(e.unproven_etag, f.unproven_etag),
         unproven_size = coalesce(e.unproven_size, f.unproven_size),
         unproven_sha256 = coalesce(e.unproven_sha256, f.unproven_sha256)
    FROM ended AS e JOIN held ON held.id = e.id
   WHERE f.id = e.id
  RETURNING f.id, f.attempts, f.state, f.file_name, e.outcome, e.reason, f.claimed_at,
            (e.forgiven > 0 AND e.reason = held.reason_before) IS TRUE AS known,
            CASE WHEN :callbacks AND f.state IN ('synced', 'failed') THEN
-- include: callback_data.sql
            END AS data
), history AS (
  INSERT INTO sync_attempt (file_sync_id, attempt, outcome, reason, started_at)
  SELECT id, attempts, outcome, reason, claimed_at FROM settled WHERE NOT known
), told AS (
  INSERT INTO callback (file_sync_id, name_key, event, data)
  SELECT id, hashtextextended(file_name, 0), 'object.' || state, data
    FROM settled WHERE data IS NOT NULL ORDER BY id
)
SELECT id FROM settled;

-- name: due_retries(most, max_attempts)
-- Finds rows that a worker may attempt again now, wherever their messages are.
SELECT id FROM file_sync
 WHERE state = 'queued' AND attempts > 0 AND next_attempt_at <= now()
   AND (leased_until IS NULL OR leased_until < now())
   AND attempts - attempts_forgiven < :max_attempts
 ORDER BY next_attempt_at
 LIMIT :most;

-- name: take_due(most, delivery_seconds, retries)
-- Takes the rows whose messages must be published now, with `retries` only those that were attempted
-- before; if publishing fails, they become due again.
WITH due AS (
  SELECT id FROM file_sync
   WHERE state = 'queued' AND due_at <= now()
     AND (NOT :retries OR attempts > 0)
   ORDER BY due_at
   LIMIT :most
     FOR UPDATE SKIP LOCKED
)
UPDATE file_sync AS f
   SET due_at = now() + make_interval(secs => :delivery_seconds)
  FROM due
 WHERE f.id = due.id
RETURNING f.id, f.request_id;

-- name: take_late(most, late_seconds, delivery_seconds, max_attempts, paused_by)
-- Takes rows that no worker has claimed so long after they were published, for a worker that claims
-- them at once; none while it is paused. It may have to leave them, because another of their name is
-- attempted: so that it does not get the same rows again and again, they are late again only when a
-- message has had its time, and due after that.
WITH late AS (
  SELECT id FROM file_sync
   WHERE state = 'queued'
     AND due_at <= now() + make_interval(secs => greatest(0, :delivery_seconds - :late_seconds))
     AND leased_until IS NULL AND next_attempt_at <= now()
     AND attempts - attempts_forgiven < :max_attempts
     AND NOT EXISTS (SELECT FROM pause WHERE part = ANY(:paused_by::text[]))
   ORDER BY due_at
   LIMIT :most
     FOR UPDATE SKIP LOCKED
)
UPDATE file_sync AS f
   SET due_at = now() + make_interval(secs => 2 * :delivery_seconds)
  FROM late
 WHERE f.id = late.id
RETURNING f.id, f.request_id;

-- name: bring_forward(horizon)
-- Makes rows due that are due later than any row can be: PostgreSQL's clock has gone back. A worker
-- that is alive extends its lease before another one receives the message.
UPDATE file_sync
   SET due_at = now(),
       next_attempt_at = least(next_attempt_at, now()),
       leased_until = CASE WHEN leased_until > now() THEN now() ELSE leased_until END
 WHERE state = 'queued' AND due_at > now() + make_interval(secs => :horizon)
RETURNING id;

-- name: fail_exhausted(max_attempts, callbacks)
-- Fails the rows whose attempts are used up because their workers died, the last time alone. See
-- `settle` for `callbacks`.
WITH exhausted AS (
  SELECT id, leased_until IS NOT NULL AS lost FROM file_sync
   WHERE state = 'queued' AND due_at <= now()
     AND (leased_until IS NULL OR leased_until < now())
     AND attempts - attempts_forgiven >= :max_attempts
     AND (leased_until IS NULL OR deaths > 0)
   ORDER BY id
   LIMIT 1000
     FOR UPDATE SKIP LOCKED
), failed AS (
  UPDATE file_sync AS f
     SET state = 'failed', leased_until = NULL, name_order = f.placed_at, failed_at = now(),
         last_error = coalesce(f.last_error || '; then ', '')
                      || 'the worker stopped without an answer, attempts used up'
    FROM exhausted
   WHERE f.id = exhausted.id
  RETURNING f.id, f.request_id, f.attempts, f.file_name, f.claimed_at, f.last_error,
            exhausted.lost,
            CASE WHEN :callbacks THEN
-- include: callback_data.sql
            END AS data
), history AS (
  INSERT INTO sync_attempt (file_sync_id, attempt, outcome, reason, started_at)
  SELECT id, attempts, 'lost', 'The worker stopped without an answer', claimed_at
    FROM failed WHERE lost
), told AS (
  INSERT INTO callback (file_sync_id, name_key, event, data)
  SELECT id, hashtextextended(file_name, 0), 'object.failed', data
    FROM failed WHERE data IS NOT NULL ORDER BY id
)
SELECT id, request_id FROM failed;

-- name: counts()
-- The exact numbers by state.
SELECT state, sum(objects)::bigint AS objects, sum(bytes)::bigint AS bytes
  FROM sync_count GROUP BY state;

-- name: oldest_queued()
-- Seconds that the oldest queued object has waited; no row if nothing is queued.
SELECT extract(epoch FROM now() - queued_at)::float8 AS seconds
  FROM file_sync WHERE state = 'queued' ORDER BY queued_at LIMIT 1;

-- name: ping()
-- Succeeds if the database answers and the ledger exists.
SELECT 1 FROM sync_count LIMIT 1;

-- name: installation()
-- The identity of this ledger.
SELECT replace(id::text, '-', '') AS identity FROM installation;

-- name: lock_installation()
-- What the ledger remembers of its storage, locked until the commit.
SELECT storage_place FROM installation FOR UPDATE;

-- name: bind_storage(place)
-- Remembers the folder of the storage.
UPDATE installation SET storage_place = :place RETURNING storage_place;

-- name: beat(component, instance, detail)
-- Records that a process is alive; those of its kind that have been silent for a day are forgotten.
WITH forgotten AS (
  DELETE FROM heartbeat
   WHERE component = :component AND instance <> :instance
     AND beat_at < now() - interval '1 day'
)
INSERT INTO heartbeat (component, instance, detail) VALUES (:component, :instance, :detail)
ON CONFLICT (component, instance)
DO UPDATE SET beat_at = now(), detail = excluded.detail
RETURNING instance;

-- name: heartbeats()
-- The last heartbeats, of a day at most.
SELECT component, instance, extract(epoch FROM now() - beat_at)::float8 AS age, detail
  FROM heartbeat
 WHERE beat_at > now() - interval '1 day'
 ORDER BY beat_at DESC;

-- name: pauses()
-- Reads the pauses that objects wait for and that are probed still: one of a machine that is gone
-- is not.
SELECT part, reason, since, extract(epoch FROM probe_at - now())::float8 AS probe_in
  FROM pause
 WHERE part <> 'callback' AND (part = 'source' OR probe_at > now() - interval '1 hour')
 ORDER BY since, part;

-- name: pauses_of(parts)
-- Reads the pauses of some parts.
SELECT part, reason, since, extract(epoch FROM probe_at - now())::float8 AS probe_in
  FROM pause WHERE part = ANY(:parts::text[]) ORDER BY part DESC;

-- name: open_pause(part, reason, seconds)
-- Opens a pause unless it is open; forgets those of machines that are gone.
WITH gone AS (
  DELETE FROM pause WHERE part <> 'source' AND probe_at < now() - interval '1 day' AND part <> :part
)
INSERT INTO pause (part, reason, probe_at)
VALUES (:part, :reason, now() + make_interval(secs => :seconds))
ON CONFLICT (part) DO NOTHING
RETURNING part;

-- name: take_probe(part, longest_seconds)
-- Takes the probe that is due, for one worker; the interval doubles.
UPDATE pause
   SET probes = probes + 1,
       probe_at = now() + make_interval(secs => least(:longest_seconds::float8,
                                                      power(2, least(probes + 1, 30))))
 WHERE part = :part AND probe_at <= now()
RETURNING part;

-- name: postpone_probe(part, reason, longest_seconds)
-- Counts the interval from the end of a probe that failed.
UPDATE pause
   SET reason = :reason,
       probe_at = now() + make_interval(secs => least(:longest_seconds::float8,
                                                      power(2, least(probes, 30))))
 WHERE part = :part
RETURNING part;

-- name: hasten_probes()
-- Lets the next probe of every pause begin at once.
UPDATE pause SET probe_at = least(probe_at, now()), probes = 0 RETURNING part;

-- name: end_pause(part)
-- Ends a pause.
DELETE FROM pause WHERE part = :part
RETURNING extract(epoch FROM now() - since)::float8 AS seconds;

-- name: forgive(row_ids, attempts, counted)
-- Takes back attempts that were counted before it was known that the fault concerned all objects.
WITH mine AS (
  SELECT * FROM unnest(:row_ids::bigint[], :attempts::integer[], :counted::integer[])
    AS t(id, attempt, counted) ORDER BY id
), chosen AS (
  SELECT f.id
    FROM mine
   CROSS JOIN LATERAL (
     SELECT id FROM file_sync
      WHERE id = mine.id AND attempts = mine.attempt
            -- Once forgiven, one less is counted: the statement may run twice.
        AND attempts - attempts_forgiven = mine.counted
        AND state = 'queued' AND leased_until IS NULL
        FOR UPDATE) AS f
)
UPDATE file_sync AS f
   SET attempts_forgiven = f.attempts_forgiven + 1, next_attempt_at = now(), due_at = now()
  FROM chosen
 WHERE f.id = chosen.id
RETURNING f.id;

-- name: recently_synced()
-- Finds a small object among the newest that were synced.
SELECT file_name
  FROM (SELECT file_name, size_bytes FROM file_sync
         WHERE state = 'synced' ORDER BY synced_at DESC, id DESC LIMIT 20) AS newest
 ORDER BY size_bytes LIMIT 1;
