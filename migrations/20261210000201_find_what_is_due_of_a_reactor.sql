-- What is due of a reactor is counted from time to time, and must not cost more the more waits. Nothing else looks
-- for actions by their time alone: each kind and destination is looked at for itself.
create index reactor_actions_waiting on reactor_actions (reactor, due_at) where done_at is null;
drop index reactor_actions_next_attempt_at_idx;
