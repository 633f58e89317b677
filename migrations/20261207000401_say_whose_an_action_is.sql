-- Some actions are done for a user, such as calls of the URLs of tasks. A process does a few of each user at once, so that the many
-- or slow ones of one user do not hold up those of others.

alter table reactor_actions
    add column owner_id uuid;
comment on column reactor_actions.owner_id is 'The user who has it done; null if the system does it of itself.';
