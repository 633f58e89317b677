-- The plans of an append are made once for a connection and used for as long as it lives. Made when
-- Postgres had just found a table empty, they read all of it for every batch that came later, by
-- whatever index there was. Each look is for one row now, and cannot be turned into anything else.
--
-- This is the function of 20261121000050 with its looks made so. Of a stream it reads no version before
-- the one that the decision rests on: an index gives a page of them at a time, however few are needed.
create or replace function append(
    executor    uuid,
    batch       bigint,
    valid_until timestamptz,
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
    -- Whether it came after valid_until; if so, nothing was looked at either, but its number is taken.
    out late    boolean,
    -- The head before: the events of the groups written follow it, in their order.
    out head    bigint,
    out at      timestamptz,
    -- One object for each thing that moved: {"group", "kind", and "id", "scope" and "key", or "record"}.
    out moved   jsonb
)
language plpgsql volatile security definer
set search_path = public, pg_temp
-- Every batch has the same plans: making them costs more than one command's events.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
    failed  integer[];
    -- Of the events that are written: how many, up to and with each place of e_. Null if all are.
    written bigint[];
    events_written bigint := cardinality(e_group);
begin
    select h.position, h.recorded_at
      into head, at
      from log_head h
     where h.only_row
       for update;
    -- Asked now, since the statement itself may ask before it waits for the lock.
    at := greatest(clock_timestamp(), at);

    update executors x
       set last_batch = append.batch, seen_at = append.at
     where x.id = append.executor and x.last_batch = append.batch - 1;
    current := found;
    late := coalesce(at > valid_until, false);
    if not current or late then
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
                 where e.stream_id = s.id and e.version >= s.version
                 order by e.version desc
                 limit 1
          ) as tail on true
         where coalesce(tail.version, 0) <> s.version
        union all
        select c.grp, 'claim', null, c.scope, c.key, null
          from unnest(c_group, c_scope, c_key, c_owner) as c (grp, scope, key, owner_id)
          left join lateral (
                select h.owner_id from claims h
                 where h.scope = c.scope and h.key = c.key
                 limit 1
          ) as held on true
         where held.owner_id is distinct from c.owner_id
        union all
        select i.grp, 'record', null, null, null, known.record
          from unnest(i_group, i_principal, i_key) as i (grp, principal, key)
         cross join lateral (
                select r as record from idempotency_records r
                 where r.principal = i.principal and r.key = i.key
                 limit 1
          ) as known
        union all
        select k.grp, 'subject', k.subject, null, null, null
          from unnest(k_group, k_subject, k_version, k_wrapped) as k (grp, subject, version, wrapped)
          left join lateral (
                select x.wrapped, x.destroyed_at from subject_keys x
                 where x.subject = k.subject and x.version = k.version
                 limit 1
          ) as known on true
         where (k.wrapped is null) <> (known.wrapped is not null)
            or known.destroyed_at is not null
      ) as m;

    -- Positions are given to what is left, in order.
    if cardinality(failed) > 0 and events_written > 0 then
        written := array(
            select count(*) filter (where e.grp <> all (failed)) over (order by e.place)
              from unnest(e_group) with ordinality as e (grp, place)
        );
        events_written := written[events_written];
    end if;
    if events_written > 0 then
        insert into events
        select head + coalesce(written[e.place], e.place), e.id, e.stream, e.version, e.aggregate, e.type, e.schema,
               e.data::json, e.metadata::json, append.at
          from unnest(e_group, e_id, e_stream, e_version, e_aggregate, e_type, e_schema, e_data, e_metadata)
               with ordinality
               as e (grp, id, stream, version, aggregate, type, schema, data, metadata, place)
         where e.grp <> all (failed);
        update log_head h
           set position = head + events_written, recorded_at = append.at
         where h.only_row;
    end if;

    if cardinality(i_group) > 0 then
        insert into idempotency_records
        select i.principal, i.key, i.hash, i.status, i.stream, i.version,
               head + coalesce(written[i.event], i.event, 0), append.at
          from unnest(i_group, i_principal, i_key, i_hash, i_status, i_stream, i_version, i_event)
               as i (grp, principal, key, hash, status, stream, version, event)
         where i.status is not null and i.grp <> all (failed);
    end if;

    if cardinality(w_group) > 0 then
        delete from claims
         where ctid = any (array(
            select held.ctid
              from unnest(w_group, w_scope, w_key) as w (grp, scope, key)
             cross join lateral (
                    select h.ctid from claims h
                     where h.scope = w.scope and h.key = w.key
                     limit 1
              ) as held
             where w.grp <> all (failed)
         ));
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
