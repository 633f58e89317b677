-- An action belongs to the process that has taken it only as long as that process lives, or until its lease ends. A process
-- shows that it lives by a lock that its session holds: PostgreSQL gives it up when the session ends, which is at once if the
-- process is killed.

alter table reactor_actions
    add column taken_by uuid;
comment on column reactor_actions.taken_by is 'The process that tries it now; null while nobody does, and if a build has taken it that does not say so.';

create index reactor_actions_taken
    on reactor_actions (taken_by)
 where taken_by is not null
   and done_at is null;

create function sender_lock(sender uuid)
returns bigint
language sql
immutable
as $$
    select hashtextextended('sender ' || sender, 0)
$$;
comment on function sender_lock(uuid) is 'The key of the advisory lock that a process holds as long as it lives, by which others see that what it has taken is under way.';
revoke execute on function sender_lock from public;
grant execute on function sender_lock to tidemark_project;

create function absent_senders()
returns setof uuid
language sql
volatile
as $$
    select taker.id
      from (
        select distinct taken_by as id
          from reactor_actions
         where taken_by is not null
           and done_at is null
      ) as taker
     where not exists (
        select
          from pg_locks
         where locktype = 'advisory'
           and objsubid = 1
           and database = (select oid from pg_database where datname = current_database())
           and (classid::bigint << 32 | objid::bigint) = sender_lock(taker.id)
     )
$$;
comment on function absent_senders() is 'The processes that have taken actions and do not hold their lock.';
revoke execute on function absent_senders from public;
grant execute on function absent_senders to tidemark_project;
