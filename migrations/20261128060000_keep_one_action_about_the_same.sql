-- Some actions are about the same thing, such as to tell a user of an auction in which they are outbid again and again. One of
-- them waits at a time: it looks how things are once it is taken, so that those in between would tell nothing else. After it
-- was taken another one may wait, since it may have looked already.

alter table reactor_actions
    add column about text;
comment on column reactor_actions.about is 'What the action is about, of which its reactor has one action wait to be taken at a time; null if every one is done.';

create unique index reactor_actions_about
    on reactor_actions (reactor, about)
 where done_at is null and attempts = 0 and about is not null;

create function store_actions(reactor text, planned jsonb)
returns bigint
language sql
volatile
as $$
    with stored as (
        insert into reactor_actions
               (reactor, position, target, path, effect, destination, body, event_id, correlation_id, about,
                due_at, next_attempt_at)
        select store_actions.reactor, action.position, target, path, effect, destination, body, event_id, correlation_id, about,
               coalesce(due_at, statement_timestamp() + make_interval(secs => wait_s)),
               coalesce(due_at, statement_timestamp() + make_interval(secs => wait_s))
          from jsonb_to_recordset(store_actions.planned) as action
                   (position bigint, target text, path text, effect text, destination text, body json, event_id uuid,
                    correlation_id uuid, about text, wait_s integer, due_at timestamptz)
            on conflict (reactor, about) where done_at is null and attempts = 0 and about is not null do nothing
        returning 1
    )
    select count(*) from stored
$$;
comment on function store_actions(text, jsonb) is 'Stores what follows from events, without actions about what another one of the reactor waits to tell. Returns how many were stored.';

revoke execute on function store_actions from public;
grant execute on function store_actions to tidemark_project;
