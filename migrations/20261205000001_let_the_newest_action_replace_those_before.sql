-- Of some actions about the same it is the newest that counts, such as the one that has a task's next slot taken: its event says for
-- which slot the task waits from now on. It takes the place of those that wait, so that a schedule which is changed to and fro
-- leaves one action, and not one for each change.

comment on column reactor_actions.about is 'What the action is about, of which its reactor has one untried action wait at a time; null if every one is done.';

-- Those that were tried before and put off are looked for by what they are about, too.
create index reactor_actions_put_off
    on reactor_actions (reactor, about)
 where done_at is null and attempts > 0 and about is not null;

create or replace function store_actions(reactor text, planned jsonb)
returns bigint
language sql
volatile
as $$
    -- What was tried and is not under way is done by the newest one.
    update reactor_actions waiting
       set done_at = statement_timestamp(),
           outcome = 'done'
      from jsonb_to_recordset(store_actions.planned) as newest (position bigint, about text, is_newest boolean)
     where newest.is_newest
       and waiting.reactor = store_actions.reactor
       and waiting.about = newest.about
       and waiting.position < newest.position
       and waiting.done_at is null
       and waiting.attempts > 0
       and waiting.taken_by is null;

    -- Of one that nobody has tried the row is used again.
    update reactor_actions waiting
       set position = newest.position,
           target = newest.target,
           path = newest.path,
           effect = newest.effect,
           destination = newest.destination,
           body = newest.body,
           event_id = newest.event_id,
           correlation_id = newest.correlation_id,
           due_at = coalesce(newest.due_at, statement_timestamp()),
           next_attempt_at = coalesce(newest.due_at, statement_timestamp())
      from (
        select distinct on (about) *
          from jsonb_to_recordset(store_actions.planned) as action
                   (position bigint, target text, path text, effect text, destination text, body json, event_id uuid,
                    correlation_id uuid, about text, is_newest boolean, due_at timestamptz)
         where is_newest
         order by about, position desc
      ) as newest
     where waiting.reactor = store_actions.reactor
       and waiting.about = newest.about
       and waiting.position < newest.position
       and waiting.done_at is null
       and waiting.attempts = 0;

    -- Where one waits, or comes before in this order, others about the same are left out.
    with stored as (
        insert into reactor_actions
               (reactor, position, target, path, effect, destination, body, event_id, correlation_id, about,
                due_at, next_attempt_at)
        select store_actions.reactor, action.position, target, path, effect, destination, body, event_id, correlation_id, about,
               coalesce(due_at, statement_timestamp() + make_interval(secs => wait_s)),
               coalesce(due_at, statement_timestamp() + make_interval(secs => wait_s))
          from jsonb_to_recordset(store_actions.planned) as action
                   (position bigint, target text, path text, effect text, destination text, body json, event_id uuid,
                    correlation_id uuid, about text, wait_s integer, is_newest boolean, due_at timestamptz)
         order by case when is_newest then - action.position else action.position end
            on conflict (reactor, about) where done_at is null and attempts = 0 and about is not null do nothing
        returning 1
    )
    select count(*) from stored
$$;
comment on function store_actions(text, jsonb) is 'Stores what follows from events: without actions about what another one of the reactor waits to tell, or in the place of those that wait, where the newest one counts. Returns how many were added.';
