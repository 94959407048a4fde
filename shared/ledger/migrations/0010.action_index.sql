-- The objects of an action, for its page in the admin and where an action is pruned.
-- depends: 0009.hours

CREATE INDEX action_object_of_action ON action_object (action_id, file_sync_id);
