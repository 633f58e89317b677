-- What the newest action takes the place of was looked for by a plan that a session kept. If it had been made while few actions were
-- there, it went over all that the reactor had ever stored, for each action anew: a page of the log took seconds, and tasks ran late.
-- The row that waits is found by its unique index now, which `on conflict` leaves no choice about. The others are found by a plan of
-- each call, for one action after the other: rows that are locked cannot be joined in another order.

create or replace function store_actions(reactor text, planned jsonb)
returns bigint
language plpgsql
volatile
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
    newest bigint;
    others bigint;
begin
    -- What was tried and is not under way is done by the newest one.
    update reactor_actions
       set done_at = statement_timestamp(),
           outcome = 'done'
     where ctid = any (array(
        select waiting.id
          from jsonb_to_recordset(store_actions.planned) as action (position bigint, about text, is_newest boolean)
         cross join lateral (
            select ctid as id
              from reactor_actions
             where reactor = store_actions.reactor
               and about = action.about
               and position < action.position
               and done_at is null
               and attempts > 0
               and taken_by is null
               for update
         ) as waiting
         where action.is_newest
     ));

    -- Of one that nobody has tried the row is used again.
    insert into reactor_actions
           (reactor, position, target, path, effect, destination, body, event_id, correlation_id, owner_id, about,
            due_at, next_attempt_at)
    select distinct on (about)
           store_actions.reactor, action.position, target, path, effect, destination, body, event_id, correlation_id, owner_id, about,
           coalesce(due_at, statement_timestamp()),
           coalesce(due_at, statement_timestamp())
      from jsonb_to_recordset(store_actions.planned) as action
               (position bigint, target text, path text, effect text, destination text, body json, event_id uuid,
                correlation_id uuid, owner_id uuid, about text, is_newest boolean, due_at timestamptz)
     where is_newest
     order by about, action.position desc
        on conflict (reactor, about) where done_at is null and attempts = 0 and about is not null do update
       set position = excluded.position,
           target = excluded.target,
           path = excluded.path,
           effect = excluded.effect,
           destination = excluded.destination,
           body = excluded.body,
           event_id = excluded.event_id,
           correlation_id = excluded.correlation_id,
           owner_id = excluded.owner_id,
           due_at = excluded.due_at,
           next_attempt_at = excluded.next_attempt_at
     where reactor_actions.position < excluded.position;
    get diagnostics newest = row_count;

    -- Where one waits, or comes before in this order, others about the same are left out.
    insert into reactor_actions
           (reactor, position, target, path, effect, destination, body, event_id, correlation_id, owner_id, about,
            due_at, next_attempt_at)
    select store_actions.reactor, action.position, target, path, effect, destination, body, event_id, correlation_id, owner_id, about,
           coalesce(due_at, statement_timestamp() + make_interval(secs => wait_s)),
           coalesce(due_at, statement_timestamp() + make_interval(secs => wait_s))
      from jsonb_to_recordset(store_actions.planned) as action
               (position bigint, target text, path text, effect text, destination text, body json, event_id uuid,
                correlation_id uuid, owner_id uuid, about text, wait_s integer, is_newest boolean, due_at timestamptz)
     where is_newest is not true
     order by action.position
        on conflict (reactor, about) where done_at is null and attempts = 0 and about is not null do nothing;
    get diagnostics others = row_count;
    return newest + others;
end
$$;
