-- Callbacks: what the client is told, recorded with the outcome and delivered afterwards.
-- depends: 0007.operations

CREATE TABLE callback (
  id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  message_id       text NOT NULL UNIQUE       -- the receiver's idempotency key
    DEFAULT 'msg_' || replace(gen_random_uuid()::text, '-', ''),
  file_sync_id     bigint NOT NULL REFERENCES file_sync ON DELETE CASCADE,
  name_key         bigint NOT NULL,           -- of the object's name: delivered in order for each
  event            text NOT NULL CHECK (event IN ('object.synced', 'object.failed')),
  data             json NOT NULL,             -- the object as it was then, sent as it stands here
  created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
  state            text NOT NULL DEFAULT 'pending'
    CHECK (state IN ('pending', 'delivered', 'undelivered')),
  attempts         integer NOT NULL DEFAULT 0,  -- only ever grows: it fences late processes off
  attempts_forgiven integer NOT NULL DEFAULT 0, -- those that count no more
  next_attempt_at  timestamptz NOT NULL DEFAULT now(),
  leased_until     timestamptz,               -- set while a process delivers it
  give_up_at       timestamptz NOT NULL DEFAULT now() + interval '1 day',
  delivered_at     timestamptz,
  last_error       text,
  CHECK ((state = 'delivered') = (delivered_at IS NOT NULL)),
  CHECK (state = 'pending' OR leased_until IS NULL)
) WITH (fillfactor = 80);

CREATE INDEX callback_object ON callback (file_sync_id, id);
CREATE INDEX callback_due ON callback (next_attempt_at, id) WHERE state = 'pending';
CREATE INDEX callback_order ON callback (name_key, id) WHERE state = 'pending';
CREATE INDEX callback_undelivered ON callback (id) WHERE state = 'undelivered';
