-- The only way into the log. One call appends what a batch of commands decided, group by group:
-- a group is written whole if nothing that it rests on has moved, else not at all.
--
-- The first statement locks the head. The checks are later statements, so their snapshots are
-- younger than the lock and see all that was committed before it. Nothing is raised for a conflict:
-- what moved is an answer.
--
-- Parameters come as parallel arrays, one set a prefix:
--   e_  events, in their order
--   s_  streams that a group read or writes, with the version it knows (0: no events yet)
--   c_  claims that a group read, with the owner it knows (null: nobody)
--   w_  claims that it writes, with the new owner (null: released)
--   i_  idempotency records, none of which may exist; one with a status is written, and i_event is
--       the place of its last event within e_ (from 1)
--   k_  keys of data subjects that it uses; with k_wrapped, a key that it brings
create function append(
    executor    uuid,
    batch       bigint,
    e_group     integer[],
    e_id        uuid[],
    e_stream    uuid[],
    e_version   bigint[],
    e_aggregate text[],
    e_type      text[],
    e_schema    smallint[],
    e_data      text[],
    e_metadata  text[],
    s_group     integer[],
    s_stream    uuid[],
    s_version   bigint[],
    c_group     integer[],
    c_scope     text[],
    c_key       text[],
    c_owner     uuid[],
    w_group     integer[],
    w_scope     text[],
    w_key       text[],
    w_owner     uuid[],
    i_group     integer[],
    i_principal text[],
    i_key       text[],
    i_hash      bytea[],
    i_status    smallint[],
    i_stream    uuid[],
    i_version   bigint[],
    i_event     integer[],
    k_group     integer[],
    k_subject   uuid[],
    k_version   integer[],
    k_wrapped   bytea[],
    -- Whether batch was this executor's next one; if not, nothing was looked at.
    out current boolean,
    -- The head before: the events of the groups written follow it, in their order.
    out head    bigint,
    out at      timestamptz,
    -- One object for each thing that moved: {"group", "kind", and "id", "scope" and "key", or "record"}.
    out moved   jsonb
)
language plpgsql volatile security definer
set search_path = public, pg_temp
-- Every batch has the same plans: making them costs more than one command's events. They are made
-- while tables are small and used when they are large, so they must never read a table through.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    failed  integer[];
    -- How many events are written, up to and with each place of e_.
    written bigint[];
begin
    select h.position, greatest(clock_timestamp(), h.recorded_at)
      into head, at
      from log_head h
     where h.only_row
       for update;

    update executors x
       set last_batch = append.batch, seen_at = append.at
     where x.id = append.executor and x.last_batch = append.batch - 1;
    current := found;
    if not current then
        return;
    end if;

    select coalesce(jsonb_agg(jsonb_strip_nulls(to_jsonb(m))), '[]'), coalesce(array_agg(m."group"), '{}')
      into moved, failed
      from (
        select s.grp as "group", 'stream' as kind, s.id as id, null as scope, null as key,
               null::idempotency_records as record
          from unnest(s_group, s_stream, s_version) as s (grp, id, version)
          left join lateral (
                select e.version from events e
                 where e.stream_id = s.id
                 order by e.version desc
                 limit 1
          ) as tail on true
         where coalesce(tail.version, 0) <> s.version
        union all
        select c.grp, 'claim', null, c.scope, c.key, null
          from unnest(c_group, c_scope, c_key, c_owner) as c (grp, scope, key, owner_id)
          left join claims held on held.scope = c.scope and held.key = c.key
         where held.owner_id is distinct from c.owner_id
        union all
        select i.grp, 'record', null, null, null, r
          from unnest(i_group, i_principal, i_key) as i (grp, principal, key)
          join idempotency_records r on r.principal = i.principal and r.key = i.key
        union all
        select k.grp, 'subject', k.subject, null, null, null
          from unnest(k_group, k_subject, k_version, k_wrapped) as k (grp, subject, version, wrapped)
          left join subject_keys known on known.subject = k.subject and known.version = k.version
         where (k.wrapped is null) <> (known.wrapped is not null)
            or known.destroyed_at is not null
      ) as m;

    -- Positions are given to what is left, in order.
    written := array(
        select count(*) filter (where e.grp <> all (failed)) over (order by e.place)
          from unnest(e_group) with ordinality as e (grp, place)
    );
    if written[cardinality(written)] > 0 then
        insert into events
        select head + written[e.place], e.id, e.stream, e.version, e.aggregate, e.type, e.schema,
               e.data::json, e.metadata::json, append.at
          from unnest(e_group, e_id, e_stream, e_version, e_aggregate, e_type, e_schema, e_data, e_metadata)
               with ordinality
               as e (grp, id, stream, version, aggregate, type, schema, data, metadata, place)
         where e.grp <> all (failed);
        update log_head h
           set position = head + written[cardinality(written)], recorded_at = append.at
         where h.only_row;
    end if;

    if cardinality(i_group) > 0 then
        insert into idempotency_records
        select i.principal, i.key, i.hash, i.status, i.stream, i.version,
               head + coalesce(written[i.event], 0), append.at
          from unnest(i_group, i_principal, i_key, i_hash, i_status, i_stream, i_version, i_event)
               as i (grp, principal, key, hash, status, stream, version, event)
         where i.status is not null and i.grp <> all (failed);
    end if;

    if cardinality(w_group) > 0 then
        delete from claims held
         using unnest(w_group, w_scope, w_key, w_owner) as w (grp, scope, key, owner_id)
         where held.scope = w.scope and held.key = w.key and w.grp <> all (failed);
        insert into claims
        select w.scope, w.key, w.owner_id
          from unnest(w_group, w_scope, w_key, w_owner) as w (grp, scope, key, owner_id)
         where w.owner_id is not null and w.grp <> all (failed);
    end if;

    if cardinality(k_group) > 0 then
        insert into subject_keys (subject, version, wrapped)
        select k.subject, k.version, k.wrapped
          from unnest(k_group, k_subject, k_version, k_wrapped) as k (grp, subject, version, wrapped)
         where k.wrapped is not null and k.grp <> all (failed);
    end if;
end
$$;

-- Whether batch is in the log. If it is not, it never will be: its number is taken.
create function resolve_batch(executor uuid, batch bigint) returns boolean
language plpgsql volatile security definer set search_path = public, pg_temp as $$
begin
    perform from log_head h where h.only_row for update;
    update executors x
       set last_batch = resolve_batch.batch
     where x.id = resolve_batch.executor and x.last_batch = resolve_batch.batch - 1;
    return not found;
end
$$;

create function register_executor(executor uuid) returns void
language sql volatile security definer set search_path = public, pg_temp as $$
    insert into executors (id) values (executor);
$$;

-- Forgets what is older than its time: clients' idempotency records, executors that are gone.
create function expire(records_older_than interval, executors_older_than interval) returns bigint
language plpgsql volatile security definer set search_path = public, pg_temp as $$
declare
    forgotten bigint;
begin
    -- A service's record must outlive the action that it answers, which may be retried for long.
    delete from idempotency_records r
     where r.recorded_at < clock_timestamp() - records_older_than
       and r.principal not like 'service:%';
    get diagnostics forgotten = row_count;
    delete from executors x where x.seen_at < clock_timestamp() - executors_older_than;
    return forgotten;
end
$$;

create function destroy_subject_keys(subject uuid) returns void
language sql volatile security definer set search_path = public, pg_temp as $$
    update subject_keys k
       set wrapped = null, destroyed_at = clock_timestamp()
     where k.subject = destroy_subject_keys.subject and k.destroyed_at is null;
$$;

do $$
declare
    entry regprocedure;
begin
    foreach entry in array array[
        'append', 'resolve_batch', 'register_executor', 'expire', 'destroy_subject_keys'
    ]::regproc[] loop
        execute format('revoke execute on function %s from public', entry);
        execute format('grant execute on function %s to tidemark_append', entry);
    end loop;
end
$$;
