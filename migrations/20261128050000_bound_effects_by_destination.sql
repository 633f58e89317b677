-- Effects of one kind go to many destinations, such as the hosts that tasks call. Each is called so often at once as it may be,
-- so that one that is slow or down holds up no other.

alter table reactor_actions
    add column destination text not null default '';
comment on column reactor_actions.destination is 'Where the effect acts, such as a host; empty if the effect has one destination, and for a command.';

-- Whoever looks for what is due goes from destination to destination.
create index reactor_actions_due_by_destination
    on reactor_actions ((coalesce(case when path = '' then effect end, '')), destination, next_attempt_at)
 where done_at is null;

create function waiting_destinations(kind text)
returns setof text
language sql
stable
as $$
    with recursive destination (name) as (
        select min(destination)
          from reactor_actions
         where done_at is null
           and coalesce(case when path = '' then effect end, '') = kind
         union all
        select (
            select min(action.destination)
              from reactor_actions action
             where done_at is null
               and coalesce(case when path = '' then effect end, '') = kind
               and action.destination > destination.name
        )
          from destination
         where destination.name is not null
    )
    select name
      from destination
     where name is not null
$$;
comment on function waiting_destinations(text) is 'The destinations of what waits, of the effect with this name or, if it is empty, of commands. Its cost depends on their number, and not on how much waits.';
revoke execute on function waiting_destinations from public;
grant execute on function waiting_destinations to tidemark_project;
