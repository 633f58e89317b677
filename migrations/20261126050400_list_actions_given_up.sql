-- Operators list the actions that a refusal ended, the newest first, among all that were ever done.
create index on reactor_actions (done_at desc) where done_at is not null and outcome <> 'done';
