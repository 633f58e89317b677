-- An event that an operator skipped for a row is left out of that row by every generation, also by one that was built before
-- or is built later, whether or not the row was parked there. A build comes to the event long before it comes to the
-- operator's order, so the orders are listed beside the log, by the append that writes them.

create table skipped_events (
    ordered_at bigint primary key,
    read_model text   not null,
    row_id     uuid   not null,
    position   bigint not null
);
create index on skipped_events (read_model, row_id);
comment on table skipped_events is 'The events that operators have skipped, each for one row of a read model. It says the same as the events repair.skip_requested of the log.';
comment on column skipped_events.ordered_at is 'The position of the event by which an operator ordered it.';
comment on column skipped_events.row_id is 'The row that does without the event.';
comment on column skipped_events.position is 'The event that the row does without.';

grant select on skipped_events to tidemark_project;

alter table generations
    add column begun_at bigint not null default 0,
    add column begun_on integer not null default 1;
comment on column generations.begun_at is 'The end of the log when the generation was begun. What had been skipped before is left out from the beginning; what is skipped later is taken out again when the generation comes to the order.';
comment on column generations.begun_on is 'The timeline of begun_at.';

-- As before, and notes where the log ends.
create or replace function begin_generation(
    read_model text,
    fold_version integer,
    shards integer,
    expects_changes boolean,
    dry_run boolean,
    throttle integer default null
) returns integer
language plpgsql volatile security definer
set search_path = public, pg_temp
as $$
declare
    number integer;
    rows_table text := read_model || '_rows';
    partition  text;
begin
    -- Whoever else begins one of this read model waits, and then finds this one.
    perform from generations g where g.read_model = begin_generation.read_model for update;
    if exists (select from generations g
                where g.read_model = begin_generation.read_model
                  and g.state in ('building', 'ready')) then
        return null;
    end if;
    select max(g.generation) + 1
      into strict number
      from generations g
     where g.read_model = begin_generation.read_model;
    -- A table that is attached when it exists holds up no query, unlike one that is created as a partition.
    partition := rows_table || '_' || number;
    execute format('create table %I (like %I including all)', partition, rows_table);
    execute format('alter table %I attach partition %I for values in (%s)', rows_table, partition, number);
    insert into generations
           (read_model, generation, state, fold_version, shards, expects_changes, dry_run, throttle,
            begun_at, begun_on)
    select begin_generation.read_model, number, 'building', begin_generation.fold_version,
           begin_generation.shards, begin_generation.expects_changes, begin_generation.dry_run,
           begin_generation.throttle, h.position, h.timeline
      from log_head h;
    insert into checkpoints (read_model, generation, shard)
    select begin_generation.read_model,
           number,
           generate_series(0, begin_generation.shards - 1);
    return number;
end
$$;

create function note_skipped_event(ordered events) returns void language plpgsql set search_path = public, pg_temp as $$
declare
    -- Postgres reads no document as such in which any text holds a null character. Whatever the event holds, it must not
    -- keep the batch from being appended: a read model that has no such name, or a row that has no such id, skips nothing.
    read_model constant text := substring(ordered.data::text from '"read_model": ?"([a-z_]+)"');
    row_id     constant text := substring(ordered.data::text from '"row_id": ?"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"');
    skipped    constant text := substring(ordered.data::text from '"position": ?([0-9]{1,18})[^0-9]');
begin
    insert into skipped_events (ordered_at, read_model, row_id, position)
    select ordered.position, read_model, row_id::uuid, skipped::bigint
     where read_model is not null
       and row_id is not null
       and skipped is not null;
end
$$;
comment on function note_skipped_event is 'Notes which event a row does without from now on, as the event records it.';
revoke execute on function note_skipped_event from public;

create or replace function obey_operators(head bigint) returns void language plpgsql set search_path = public, pg_temp as $$
declare
    event events;
begin
    for event in
        select e.* from events e where e.position > head order by e.position
    loop
        case event.type
            when 'fork.declared' then perform fork_timeline(event);
            when 'publication.adopted', 'publication.repeated' then perform request_publication(event);
            when 'repair.skip_requested' then perform note_skipped_event(event);
            else null;
        end case;
    end loop;
end
$$;

-- What was ordered before.
do $$
declare
    event events;
begin
    for event in
        select e.* from events e where e.type = 'repair.skip_requested'
    loop
        perform note_skipped_event(event);
    end loop;
end
$$;

-- As before, and repairs are declared by operators, too.
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
            -- One that is gone by now had expired, and takes no room any more; the batch itself must not hold one twice.
            if failed @> recorded and cardinality(i_id) > (select count(distinct id) from unnest(i_id) as i (id)) then
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
        if e_aggregate && array['fork', 'publication', 'repair'] then
            perform obey_operators(head);
        end if;
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

-- As before, but what operators declare is left to append.
create or replace function append_one(
    executor    uuid,
    batch       bigint,
    valid_from  timestamptz,
    valid_until timestamptz,
    e_id        uuid,
    e_stream    uuid,
    e_version   bigint,
    e_aggregate text,
    e_type      text,
    e_schema    smallint,
    e_data      text,
    e_metadata  text,
    s_stream    uuid[],
    s_version   bigint[],
    -- All of them are null if the command came without a key.
    i_principal text,
    i_key       text,
    i_hash      bytea,
    i_status    smallint,
    i_stream    uuid,
    i_version   bigint,
    i_id        uuid default null,
    known_head  bigint default null,
    out current boolean,
    out early   boolean,
    out late    boolean,
    out head    bigint,
    out at      timestamptz,
    out contended boolean,
    out moved   jsonb
)
language plpgsql volatile security definer set search_path = public, pg_temp as $$
#variable_conflict use_column
begin
    -- That this executor appended last, and nobody since, answers every question but those below.
    update log_head h
       set position = h.position + 1,
           batch = append_one.batch,
           recorded_at = greatest(clock_timestamp(), h.recorded_at)
     where h.only_row
       and h.position = known_head
       and h.appender = executor
       and h.batch = append_one.batch - 1
       and h.contender is null
       and e_aggregate not in ('fork', 'publication', 'repair')
    returning h.position - 1, h.recorded_at
      into head, at;
    if found then
        current := coalesce(at >= valid_from and greatest(clock_timestamp(), at) <= valid_until, valid_until is null);
        if current and i_id is not null then
            insert into idempotency_records
            values (i_id, i_hash, i_status, i_stream, i_version, head + 1, append_one.at, i_principal, i_key)
            on conflict (id) do nothing;
            current := found;
        end if;
        if current then
            insert into events
            values (
                head + 1, e_id, e_stream, e_version, e_aggregate, e_type, e_schema, e_data::json, e_metadata::json,
                append_one.at
            );
            return;
        end if;
        perform end_log_at(head, null);
        update log_head h set batch = append_one.batch - 1 where h.only_row;
    end if;

    i_id := coalesce(i_id, record_id(i_principal, i_key));
    select a.current, a.early, a.late, a.head, a.at, a.contended, a.moved
      into current, early, late, head, at, contended, moved
      from append(
               executor, batch, valid_from, valid_until,
               array[0], array[e_id], array[e_stream], array[e_version], array[e_aggregate], array[e_type],
               array[e_schema], array[e_data], array[e_metadata],
               array_fill(0, array[cardinality(s_stream)]), s_stream, s_version,
               '{}', '{}', '{}', '{}',
               '{}', '{}', '{}', '{}',
               array_remove(array[case when i_id is not null then 0 end], null),
               array[i_principal], array[i_key], array[i_hash], array[i_status], array[i_stream],
               array[i_version], array[1],
               '{}', '{}', '{}', '{}',
               array[i_id]
           ) as a;
end
$$;
