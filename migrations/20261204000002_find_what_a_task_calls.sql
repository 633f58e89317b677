-- Before each call it is looked up what the task calls and with which secret, as the newest of three kinds of events say. The stream
-- of a task holds an event for each slot as well, and grows for ever, so these have an index of their own.

create index if not exists events_of_task_definitions
    on events (stream_id, type, version)
 where type in ('task.defined', 'task.changed', 'task.secret_rotated');
