-- Commands that a batch refuses are groups of their own, and on a hot auction all of them have read the same stream. If it
-- moved, each group had its events in the answer: 32 copies, 10 ms during which nobody else could append. Now they are told
-- once, and of all streams together no more than a bound.

create or replace function what_moved(
    failed      integer[],
    s_group     integer[],
    s_stream    uuid[],
    s_version   bigint[],
    c_group     integer[],
    c_scope     text[],
    c_key       text[],
    c_owner     uuid[],
    i_group     integer[],
    i_id        uuid[],
    i_principal text[],
    i_key       text[],
    k_group     integer[],
    k_subject   uuid[],
    k_version   integer[],
    k_wrapped   bytea[]
) returns jsonb
language plpgsql volatile set search_path = public, pg_temp as $$
#variable_conflict use_column
declare
    -- The most events, and the most bytes of their data, that the answer holds of one stream, and the most bytes that it
    -- holds of all: the head of the log is locked until it is sent. A stream with more has to be loaded.
    unseen_max constant integer := 256;
    unseen_bytes_max constant integer := 65536;
    unseen_bytes_left integer := 262144;
    moved_stream record;
    unseen jsonb;
    unseen_bytes integer;
    streams jsonb[] := '{}';
begin
    for moved_stream in
        select s.grp, s.id,
               min(s.version) over (partition by s.id) as oldest,
               row_number() over (partition by s.id order by s.grp) = 1 as is_first
          from unnest(s_group, s_stream, s_version) as s (grp, id, version)
          left join lateral (
                select e.version from events e
                 where e.stream_id = s.id and e.version >= s.version
                 order by e.version desc
                 limit 1
          ) as tail on true
         where s.grp = any (failed) and coalesce(tail.version, 0) <> s.version
         order by s.grp
    loop
        unseen := null;
        -- Many groups may have read one stream: the first of them brings its events for all.
        if moved_stream.is_first and unseen_bytes_left > 0 then
            select jsonb_agg(jsonb_build_object(
                       'version', u.version, 'event_type', u.type, 'schema_version', u.schema_version,
                       'data', u.data, 'recorded_at', u.recorded_at
                   ) order by u.version),
                   sum(octet_length(u.data))
              into unseen, unseen_bytes
              from (select e.version, e.type, e.schema_version, e.data::text as data, e.recorded_at
                      from events e
                     where e.stream_id = moved_stream.id and e.version > moved_stream.oldest
                     order by e.version
                     limit unseen_max + 1) as u
            having count(*) <= unseen_max and sum(octet_length(u.data)) <= least(unseen_bytes_max, unseen_bytes_left);
            unseen_bytes_left := unseen_bytes_left - coalesce(unseen_bytes, 0);
        end if;
        streams := streams || jsonb_build_object(
            'group', moved_stream.grp, 'kind', 'stream', 'id', moved_stream.id, 'unseen', unseen
        );
    end loop;
    return (
        select jsonb_agg(jsonb_strip_nulls(m.conflict) order by m.conflict -> 'group')
          from (
            select unnest(streams) as conflict
            union all
            select jsonb_build_object(
                       'group', c.grp, 'kind', 'claim', 'scope', c.scope, 'key', c.key, 'owner', held.owner_id
                   )
              from unnest(c_group, c_scope, c_key, c_owner) as c (grp, scope, key, owner_id)
              left join lateral (
                    select h.owner_id from claims h
                     where h.scope = c.scope and h.key = c.key
                     limit 1
              ) as held on true
             where c.grp = any (failed) and held.owner_id is distinct from c.owner_id
            union all
            -- The build before expects the principal and the key of every record.
            select jsonb_build_object(
                       'group', i.grp, 'kind', 'record',
                       'record', known.record || jsonb_build_object('principal', i.principal, 'key', i.key)
                   )
              from unnest(i_group, i_id, i_principal, i_key) as i (grp, id, principal, key)
             cross join lateral (
                    select to_jsonb(r) as record from idempotency_records r
                     where r.id = i.id
                     limit 1
              ) as known
             where i.grp = any (failed)
            union all
            select jsonb_build_object('group', k.grp, 'kind', 'subject', 'id', k.subject)
              from unnest(k_group, k_subject, k_version, k_wrapped) as k (grp, subject, version, wrapped)
              left join lateral (
                    select x.wrapped, x.destroyed_at from subject_keys x
                     where x.subject = k.subject and x.version = k.version
                     limit 1
              ) as known on true
             where k.grp = any (failed)
               and ((k.wrapped is null) <> (known.wrapped is not null) or known.destroyed_at is not null)
          ) as m
    );
end
$$;

-- As before, but an executor becomes the contender only if a command has to be decided again. One client that sent a key through
-- two processes by turns could have the one that did nothing else hold up the other.
create or replace function append(
    executor    uuid,
    batch       bigint,
    valid_from  timestamptz,
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
    -- The build before does not say it.
    i_id        uuid[] default null,
    -- Nor does it know these: then all of s_ is looked at.
    known_head  bigint default null,
    s_checked   integer default null,
    -- Whether batch was this executor's next one; if not, nothing was looked at.
    out current boolean,
    -- Whether it came before valid_from or after valid_until; if so, nothing was looked at either, but its
    -- number is taken.
    out early   boolean,
    out late    boolean,
    -- The head before: the events of the groups written follow it, in their order.
    out head    bigint,
    out at      timestamptz,
    -- Whether another executor was refused because of what moved, and has not appended since.
    out contended boolean,
    -- One object for each thing that moved, with what it is now: {"group", "kind", and "id" and "unseen",
    -- "scope", "key" and "owner", or "record"}.
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
    failed  integer[] := '{}';
    -- The groups of which a record exists already.
    recorded integer[] := '{}';
    -- Of the events that are written: how many, up to and with each place of e_. Null if all are.
    written bigint[];
    events_written bigint := cardinality(e_group);
    records_written bigint := 0;
    -- The contender before this batch, and then after it.
    waited uuid;
begin
    -- Locks the head, and moves it as if everything was written, which is nearly always so.
    if events_written > 0 then
        update log_head h
           set position = h.position + events_written,
               recorded_at = greatest(clock_timestamp(), h.recorded_at)
         where h.only_row
        returning h.position - events_written, h.recorded_at, h.contender
          into head, at, waited;
    else
        select h.position, h.recorded_at, h.contender
          into head, at, waited
          from log_head h
         where h.only_row
           for update;
        -- Asked now, since the statement itself may ask before it waits for the lock.
        at := greatest(clock_timestamp(), at);
    end if;

    current := count_batch(executor, batch);
    contended := waited <> executor;
    -- The head may have been locked by somebody who changed nothing: then its time was asked before the wait.
    if not current or at < valid_from or greatest(clock_timestamp(), at) > valid_until then
        at := greatest(clock_timestamp(), at);
        early := at < valid_from;
        late := at > valid_until;
        if current and late then
            waited := coalesce(waited, executor);
        end if;
        if events_written > 0 or late then
            perform end_log_at(head, waited);
        end if;
        -- Nothing is lost with this commit: an executor whose last number is forgotten registers anew.
        perform set_config('synchronous_commit', 'off', true);
        return;
    end if;

    -- If the log ends where it did, nobody has appended since the executor learned the other versions.
    if head = known_head and s_checked is not null then
        s_group := s_group[:s_checked];
        s_stream := s_stream[:s_checked];
        s_version := s_version[:s_checked];
    end if;
    if cardinality(s_group) > 0 then
        failed := array(
            select s.grp
              from unnest(s_group, s_stream, s_version) as s (grp, id, version)
              left join lateral (
                    select e.version from events e
                     where e.stream_id = s.id and e.version >= s.version
                     order by e.version desc
                     limit 1
              ) as tail on true
             where coalesce(tail.version, 0) <> s.version
        );
    end if;
    if cardinality(i_group) > 0 then
        i_id := coalesce(i_id, array(
            select record_id(i.principal, i.key)
              from unnest(i_principal, i_key) with ordinality as i (principal, key, place)
             order by i.place
        ));
    end if;
    if cardinality(c_group) > 0 then
        failed := failed || array(
            select c.grp
              from unnest(c_group, c_scope, c_key, c_owner) as c (grp, scope, key, owner_id)
              left join lateral (
                    select h.owner_id from claims h
                     where h.scope = c.scope and h.key = c.key
                     limit 1
              ) as held on true
             where held.owner_id is distinct from c.owner_id
        );
    end if;
    -- Whether a record exists already, its index says when it is written. Those of refused commands are not written, and
    -- of what is refused anyway the answer tells all that moved.
    if failed <> '{}' or array_position(i_status, null) is not null then
        recorded := groups_with_records(i_group, i_id);
    end if;
    -- Who has to decide again because something moved goes next; a command of which there is a record is only answered.
    -- Who has gone next makes room for others.
    if not failed <@ recorded then
        waited := coalesce(waited, executor);
    elsif waited = executor then
        update log_head h set contender = null where h.only_row;
        waited := null;
    end if;
    failed := failed || recorded;
    if cardinality(k_group) > 0 then
        failed := failed || array(
            select k.grp
              from unnest(k_group, k_subject, k_version, k_wrapped) as k (grp, subject, version, wrapped)
              left join lateral (
                    select x.wrapped, x.destroyed_at from subject_keys x
                     where x.subject = k.subject and x.version = k.version
                     limit 1
              ) as known on true
             where (k.wrapped is null) <> (known.wrapped is not null)
                or known.destroyed_at is not null
        );
    end if;

    loop
        -- Positions are given to what is left, in order.
        if failed <> '{}' and cardinality(e_group) > 0 then
            written := array(
                select count(*) filter (where e.grp <> all (failed)) over (order by e.place)
                  from unnest(e_group) with ordinality as e (grp, place)
            );
            events_written := written[cardinality(e_group)];
        end if;
        exit when cardinality(i_group) = 0;
        begin
            insert into idempotency_records
            select i.id, i.hash, i.status, i.stream, i.version,
                   head + coalesce(written[i.event], i.event, 0), append.at, i.principal, i.key
              from unnest(i_group, i_id, i_principal, i_key, i_hash, i_status, i_stream, i_version, i_event)
                   as i (grp, id, principal, key, hash, status, stream, version, event)
             where i.status is not null and i.grp <> all (failed);
            get diagnostics records_written = row_count;
            exit;
        exception when unique_violation then
            recorded := groups_with_records(i_group, i_id);
            -- If none exists, the batch itself holds one twice.
            if failed @> recorded then
                raise;
            end if;
            failed := failed || recorded;
        end;
    end loop;
    if failed <> '{}' then
        moved := what_moved(
            failed, s_group, s_stream, s_version, c_group, c_scope, c_key, c_owner,
            i_group, i_id, i_principal, i_key, k_group, k_subject, k_version, k_wrapped
        );
        perform end_log_at(head + events_written, waited);
    end if;
    if events_written > 0 then
        insert into events
        select head + coalesce(written[e.place], e.place), e.id, e.stream, e.version, e.aggregate, e.type, e.schema,
               e.data::json, e.metadata::json, append.at
          from unnest(e_group, e_id, e_stream, e_version, e_aggregate, e_type, e_schema, e_data, e_metadata)
               with ordinality
               as e (grp, id, stream, version, aggregate, type, schema, data, metadata, place)
         where e.grp <> all (failed);
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

    if events_written = 0 and records_written = 0 then
        perform set_config('synchronous_commit', 'off', true);
    end if;
end
$$;
