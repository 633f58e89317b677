-- What is due is counted from time to time, and must not cost more the more waits. The index is of the time alone: by the reactor,
-- too, it would be taken for one of what an action is about, and all that waits of a reactor be read. Nothing looks any more for the
-- time of the next attempt without the kind and the destination.
create index reactor_actions_due_at on reactor_actions (due_at) where done_at is null;
drop index reactor_actions_next_attempt_at_idx;
