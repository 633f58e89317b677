-- Reactors: how far each has answered the log, and the actions that follow from it.

create table reactors (
    name       text        primary key,
    position   bigint      not null default 0,
    blocked    text,
    updated_at timestamptz not null default clock_timestamp()
) with (fillfactor = 50);
comment on column reactors.position is 'The actions of all events up to here are in reactor_actions, which the same transaction wrote.';
comment on column reactors.blocked is 'Why the event after position could not be answered; null while all is well.';
insert into reactors (name) values ('auction-timer');

create table reactor_actions (
    reactor         text        not null references reactors,
    position        bigint      not null,
    target          text        not null,
    path            text        not null,
    event_id        uuid        not null,
    correlation_id  uuid        not null,
    due_at          timestamptz not null,
    next_attempt_at timestamptz not null,
    attempts        integer     not null default 0,
    done_at         timestamptz,
    outcome         text,
    primary key (reactor, position, target)
);
comment on column reactor_actions.position is 'Of the event that caused the action; target tells the actions of one event apart.';
comment on column reactor_actions.path is 'Of the command API: what is posted there is the action.';
comment on column reactor_actions.next_attempt_at is 'Whoever sends the action moves this ahead first, which is its lease.';
comment on column reactor_actions.attempts is 'Counts the leases: an answer is recorded only by the holder of the last one.';
comment on column reactor_actions.outcome is 'The last answer, whether it ended the action or not.';

create index on reactor_actions (next_attempt_at) where done_at is null;

grant select, insert, update on reactors, reactor_actions to tidemark_project;
grant select on reactors, reactor_actions to tidemark_append, tidemark_read;

-- Documents kept outside Postgres are brought up to date from the rows that changed, which do not
-- tell of the rows that are gone.
alter table checkpoints add column last_removal bigint not null default 0;
comment on column checkpoints.last_removal is 'Where a row was last removed.';

-- A projector shows that it runs by a lease of its own; nobody waits for those that are long over.
grant delete on leases to tidemark_project;
