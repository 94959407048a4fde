DROP INDEX action_object_of_action;
