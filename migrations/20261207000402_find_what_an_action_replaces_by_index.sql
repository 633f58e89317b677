-- Where the newest action counts, what it takes the place of is looked for by what it is about, for one action after the other.
-- Postgres, which reckons with a row where it knows no better, joined the actions with all that wait for the same reactor: with
-- 100,000 tasks that wait for a time to come, each page of the log took a third of a second.

create or replace function store_actions(reactor text, planned jsonb)
returns bigint
language plpgsql
volatile
as $$
#variable_conflict use_column
declare
    newest record;
    added bigint;
begin
    for newest in
        select distinct on (about) *
          from jsonb_to_recordset(store_actions.planned) as action
                   (position bigint, target text, path text, effect text, destination text, body json, event_id uuid,
                    correlation_id uuid, owner_id uuid, about text, is_newest boolean, due_at timestamptz)
         where is_newest
         order by about, position desc
    loop
        -- What was tried and is not under way is done by the newest one.
        update reactor_actions
           set done_at = statement_timestamp(),
               outcome = 'done'
         where reactor = store_actions.reactor
           and about = newest.about
           and position < newest.position
           and done_at is null
           and attempts > 0
           and taken_by is null;

        -- Of one that nobody has tried the row is used again.
        update reactor_actions
           set position = newest.position,
               target = newest.target,
               path = newest.path,
               effect = newest.effect,
               destination = newest.destination,
               body = newest.body,
               event_id = newest.event_id,
               correlation_id = newest.correlation_id,
               owner_id = newest.owner_id,
               due_at = coalesce(newest.due_at, statement_timestamp()),
               next_attempt_at = coalesce(newest.due_at, statement_timestamp())
         where reactor = store_actions.reactor
           and about = newest.about
           and position < newest.position
           and done_at is null
           and attempts = 0;
    end loop;

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
     order by case when is_newest then - action.position else action.position end
        on conflict (reactor, about) where done_at is null and attempts = 0 and about is not null do nothing;
    get diagnostics added = row_count;
    return added;
end
$$;
