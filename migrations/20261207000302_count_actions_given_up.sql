-- Operators see how many actions of each reactor were given up, among all that were ever done.
create index on reactor_actions (reactor, target)
    where done_at is not null and outcome <> 'done' and outcome <> 'dropped';

create function given_up_actions(
    reactor text,
    counted_max bigint,
    out refused bigint,
    out unanswered bigint
)
language sql stable
set search_path = public, pg_temp
as $$
    select (select count(*)
              from (select
                      from reactor_actions a
                     where a.reactor = given_up_actions.reactor
                       and a.target <> 'answer'
                       and a.done_at is not null
                       and a.outcome <> 'done'
                       and a.outcome <> 'dropped'
                     limit counted_max) counted),
           (select count(*)
              from (select
                      from reactor_actions a
                     where a.reactor = given_up_actions.reactor
                       and a.target = 'answer'
                       and a.done_at is not null
                       and a.outcome <> 'done'
                       and a.outcome <> 'dropped'
                     limit counted_max) counted)
$$;
comment on function given_up_actions is 'How many actions of a reactor were given up: because their commands were refused for good, and because their event could not be answered. At most counted_max of each are counted.';
revoke execute on function given_up_actions from public;
grant execute on function given_up_actions to tidemark_project, tidemark_read;
