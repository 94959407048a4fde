-- name: count(keys, previous_keys, lifetimes)
-- Adds one to each counter, and returns each with that of the window before. One that several requests
-- ask for grows by all of them, and each gets its own number. One statement in a hundred also
-- removes what has expired: the keys name their windows, so none of them is counted again. That reads
-- the whole table, which then holds a hundred requests' counters too many, and no more.
WITH asked AS (
  SELECT *, count(*) OVER (PARTITION BY key) AS times,
         row_number() OVER (PARTITION BY key ORDER BY place) AS turn
    FROM unnest(:keys::text[], :previous_keys::text[], :lifetimes::integer[])
    WITH ORDINALITY AS t(key, previous_key, lifetime, place)
), expired AS (
  DELETE FROM counter
   WHERE (SELECT random()) < 0.01
     AND expires_at < now() - interval '1 minute'
     AND key <> ALL(:keys::text[]) -- one of a process whose clock is late
), counted AS (
  INSERT INTO counter AS c (key, number, expires_at)
  SELECT key, count(*), now() + make_interval(secs => max(lifetime))
    FROM asked GROUP BY key ORDER BY key
  ON CONFLICT (key) DO UPDATE
     SET number = CASE WHEN c.expires_at > now() THEN c.number ELSE 0 END + excluded.number,
         expires_at = CASE WHEN c.expires_at > now() THEN c.expires_at
                      ELSE excluded.expires_at END
  RETURNING key, number
)
SELECT counted.number - asked.times + asked.turn AS number, coalesce(previous.number, 0) AS previous
  FROM asked
  JOIN counted USING (key)
  LEFT JOIN counter AS previous
    ON previous.key = asked.previous_key AND previous.expires_at > now()
 ORDER BY asked.place;

-- name: take_back(keys)
-- Subtracts one from each counter, never below zero.
WITH held AS (
  SELECT key FROM counter WHERE key = ANY(:keys::text[]) ORDER BY key FOR UPDATE
)
UPDATE counter SET number = greatest(number - 1, 0) FROM held WHERE counter.key = held.key
RETURNING counter.key;

-- name: ping()
-- Succeeds if the database answers.
SELECT 1;
