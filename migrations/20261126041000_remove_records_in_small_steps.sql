-- Removes expired idempotency records a few at a time: one deletion of all of them ran into the statement
-- timeout as soon as there were many, and never ended. All kinds are removed.

create function remove_expired_records(
    kept interval,
    after timestamptz,
    step integer,
    out removed bigint,
    out reached timestamptz
)
language plpgsql volatile security definer
set search_path = public, pg_temp
set plan_cache_mode = force_generic_plan as $$
declare
    -- Constants, so that the index of recorded_at bounds the search on both sides.
    oldest timestamptz := coalesce(after, '-infinity');
    expired_at timestamptz := clock_timestamp() - kept;
begin
    -- What is there again after a crash is removed again.
    perform set_config('synchronous_commit', 'off', true);
    with expired as (
        select r.ctid, r.principal, r.key, r.recorded_at
          from idempotency_records r
         where r.recorded_at >= oldest
           and r.recorded_at < expired_at
         order by r.recorded_at
         limit step
           for update skip locked
    ),
    deleted as (
        delete from idempotency_records r
         using expired e
         where r.ctid = e.ctid
           and (e.principal not like 'service:%' or not is_awaited(e.principal, e.key))
        returning r.ctid
    )
    select (select count(*) from deleted),
           (select max(recorded_at) from expired)
      into removed, reached;
end
$$;

-- A reactor's key is its name, the position of the cause in 16 digits, and the name of the action, joined by
-- hyphens.
create function is_awaited(principal text, key text) returns boolean
language sql stable set search_path = public, pg_temp as $$
    select exists (
        select
          from reactors r
         cross join lateral (select substr(is_awaited.key, length(r.name) + 2) as rest) k
         cross join lateral (
                select case when k.rest ~ '^\d{16}-' then left(k.rest, 16)::bigint end as position,
                       substr(k.rest, 18) as target
               ) cause
          left join reactor_actions a
            on a.reactor = r.name
           and a.position = cause.position
           and a.target = cause.target
           and a.done_at is null
         where is_awaited.principal = 'service:' || r.name
           and (r.position < cause.position or a.reactor is not null)
    );
$$;

create function remove_old_executors(kept interval) returns void
language sql volatile security definer set search_path = public, pg_temp as $$
    delete from executors x where x.seen_at < clock_timestamp() - kept;
$$;

revoke execute on function remove_expired_records, is_awaited, remove_old_executors from public;
grant execute on function remove_expired_records, remove_old_executors to tidemark_append;

comment on function remove_expired_records is $$
Removes idempotency records that are older than kept, at most step of them and the oldest first, from those that were recorded at the time after on. A record is kept as long as its command may be sent again by a reactor. Concurrent calls remove different records, and no append waits for a call.

The answer:
removed: The number of records that were removed.
reached: The time at which the last record was recorded that was looked at, to go on from; null if there was none.
$$;
comment on function is_awaited is 'Whether a reactor may send the command of this idempotency record again: it has not answered the cause yet, or the action that follows from it has not ended.';
comment on function remove_old_executors is 'Removes the executors that have appended nothing for longer than kept.';
comment on function expire is 'Only older builds call it: remove_expired_records and remove_old_executors have taken its place.';
