-- name: claim_callbacks(most, lease_seconds, probe)
-- Claims callbacks to deliver, those first that are due for longest. Of those of one name only the
-- oldest that is pending: they arrive in order. A `probe` is claimed whether it is due or not, and is
-- one that was attempted least: what the receiver refuses must not stand for all.
WITH due AS (
  SELECT id FROM callback AS c
   WHERE state = 'pending' AND (:probe OR next_attempt_at <= now())
     AND (leased_until IS NULL OR leased_until < now())
     AND NOT EXISTS (SELECT FROM callback AS earlier
                      WHERE earlier.state = 'pending' AND earlier.name_key = c.name_key
                        AND earlier.id < c.id)
   ORDER BY CASE WHEN :probe THEN attempts - attempts_forgiven END, next_attempt_at, id
   LIMIT :most
     FOR UPDATE SKIP LOCKED
)
UPDATE callback AS c
   SET attempts = c.attempts + 1,
       leased_until = now() + make_interval(secs => :lease_seconds)
  FROM due
 WHERE c.id = due.id
RETURNING c.id, c.message_id, c.event, c.data::text AS data, c.created_at, c.attempts,
          c.attempts - c.attempts_forgiven AS counted_attempts;

-- name: settle_callbacks(ids, attempts, reasons, delays, counted)
-- Records how attempts ended, for callbacks that are still held by that very attempt. Without a reason
-- it was delivered. A callback that is not delivered within its day is given up.
WITH ended AS (
  SELECT * FROM unnest(:ids::bigint[], :attempts::integer[], :reasons::text[], :delays::float8[],
                       :counted::boolean[]) AS t(id, attempt, reason, delay, counted)
   ORDER BY id
), held AS (
  SELECT c.id
    FROM ended AS e
   CROSS JOIN LATERAL (
     SELECT id FROM callback
      WHERE id = e.id AND attempts = e.attempt
        AND state = 'pending' AND leased_until IS NOT NULL
        FOR UPDATE) AS c
)
UPDATE callback AS c
   SET state = CASE WHEN e.reason IS NULL THEN 'delivered'
                    WHEN now() + make_interval(secs => e.delay) >= c.give_up_at THEN 'undelivered'
                    ELSE 'pending' END,
       attempts_forgiven = c.attempts_forgiven + (NOT e.counted)::integer,
       leased_until = NULL,
       next_attempt_at = now() + make_interval(secs => e.delay),
       delivered_at = CASE WHEN e.reason IS NULL THEN clock_timestamp() END,
       last_error = e.reason
  FROM ended AS e JOIN held ON held.id = e.id
 WHERE c.id = e.id
RETURNING c.id, c.state;

-- name: return_callbacks(ids, attempts)
-- Gives claims back that were not attempted: they are due at once.
UPDATE callback AS c
   SET leased_until = NULL, attempts_forgiven = c.attempts_forgiven + 1, next_attempt_at = now()
  FROM unnest(:ids::bigint[], :attempts::integer[]) AS t(id, attempt)
 WHERE c.id = t.id AND c.attempts = t.attempt AND c.leased_until IS NOT NULL
RETURNING c.id;

-- name: hasten_callbacks()
-- Makes the callbacks due that failed before the receiver answered again.
UPDATE callback SET next_attempt_at = now()
 WHERE state = 'pending' AND next_attempt_at > now() AND leased_until IS NULL
RETURNING id;

-- name: give_up_callbacks(reason)
-- Gives up the callbacks whose day has passed while the receiver was away.
UPDATE callback
   SET state = 'undelivered', leased_until = NULL, last_error = coalesce(last_error, :reason)
 WHERE state = 'pending' AND give_up_at <= now()
   AND (leased_until IS NULL OR leased_until < now())
RETURNING id;

-- name: callback_counts()
-- The exact numbers of those that are not delivered, and how long the oldest pending one has waited.
SELECT (SELECT count(*) FROM callback WHERE state = 'pending') AS pending,
       (SELECT count(*) FROM callback WHERE state = 'undelivered') AS undelivered,
       (SELECT extract(epoch FROM now() - min(created_at))::float8 FROM callback
         WHERE state = 'pending') AS oldest_seconds;

-- name: callbacks_of(row_id)
-- Reads the callbacks of one object, oldest first.
SELECT id, message_id, file_sync_id, data->>'file_name' AS file_name, event, state,
       attempts - attempts_forgiven AS attempts, created_at, next_attempt_at, delivered_at, last_error
  FROM callback WHERE file_sync_id = :row_id ORDER BY id;

-- name: list_callbacks(state, before_id, most)
-- Reads the callbacks of one state, newest first.
SELECT id, message_id, file_sync_id, data->>'file_name' AS file_name, event, state,
       attempts - attempts_forgiven AS attempts, created_at, next_attempt_at, delivered_at, last_error
  FROM callback
 WHERE state = :state AND (:before_id::bigint IS NULL OR id < :before_id::bigint)
 ORDER BY id DESC LIMIT :most;

-- name: known_callbacks(ids)
-- Finds which of some ids belong to callbacks.
SELECT id FROM callback WHERE id = ANY(:ids::bigint[]);

-- name: undelivered_reasons(newest, most)
-- Counts the newest callbacks that were given up by reason, which is the error without its details.
SELECT split_part(last_error, ': ', 1) AS reason, count(*) AS callbacks
  FROM (SELECT last_error FROM callback
         WHERE state = 'undelivered' ORDER BY id DESC LIMIT :newest) AS given_up
 GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT :most;

-- name: count_replayable(ids, row_ids, since, undelivered)
-- Counts the callbacks that a replay would choose.
SELECT count(*) AS callbacks FROM callback
 WHERE state <> 'pending'
-- include: callback_choice.sql
;

-- name: replay_callbacks(ids, row_ids, since, undelivered, after_id, most)
-- Lets callbacks be delivered (again), with another day to do so: those that match every condition
-- given, in slices by id, so that one that is delivered meanwhile is not chosen twice. What is
-- pending is left as it is.
WITH chosen AS (
  SELECT id FROM callback
   WHERE state <> 'pending' AND id > :after_id
-- include: callback_choice.sql
   ORDER BY id LIMIT :most
     FOR UPDATE
)
UPDATE callback AS c
   SET state = 'pending', attempts_forgiven = c.attempts, next_attempt_at = now(),
       give_up_at = now() + interval '1 day', delivered_at = NULL
  FROM chosen
 WHERE c.id = chosen.id
RETURNING c.id;
