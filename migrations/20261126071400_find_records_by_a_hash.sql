-- The index of two texts was most of what an idempotency record cost. A record is found by a hash of 16 bytes
-- in their place. The texts themselves stay only where the expiry asks for them: of services, which reactors
-- are.

create function record_id(principal text, key text) returns uuid
language sql immutable strict set search_path = pg_catalog, pg_temp as $$
    select encode(substr(sha256(convert_to(principal, 'UTF8') || '\x00' || convert_to(key, 'UTF8')), 1, 16), 'hex')::uuid;
$$;

alter table idempotency_records rename to former_records;

create table idempotency_records (
    id           uuid        not null,
    request_hash bytea       not null,
    status       smallint    not null,
    stream_id    uuid        not null,
    version      bigint      not null,
    position     bigint      not null,
    recorded_at  timestamptz not null,
    principal    text        collate "C",
    key          text        collate "C"
);

insert into idempotency_records
select record_id(r.principal, r.key), r.request_hash, r.status, r.stream_id, r.version, r.position, r.recorded_at,
       case when r.principal like 'service:%' then r.principal end,
       case when r.principal like 'service:%' then r.key end
  from former_records r;

drop table former_records;
alter table idempotency_records add primary key (id);
create index on idempotency_records (recorded_at);
grant select on idempotency_records to tidemark_append;

create or replace function remove_expired_records(
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
           and (e.principal is null or not is_awaited(e.principal, e.key))
        returning r.ctid
    )
    select (select count(*) from deleted),
           (select max(recorded_at) from expired)
      into removed, reached;
end
$$;

-- As before, with the ids of the records.
drop function append, append_one, what_moved;

-- What the failed groups of a batch rest on and what is not so any more, as append answers it.
create function what_moved(
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
    -- The most events of a stream that moved, and the most bytes of their data, that the answer holds. If
    -- there are more, the stream has to be loaded.
    unseen_max constant integer := 256;
    unseen_bytes_max constant integer := 65536;
begin
    return (
        select jsonb_agg(jsonb_strip_nulls(to_jsonb(m)))
          from (
            select s.grp as "group", 'stream' as kind, s.id as id, null as scope, null as key,
                   (select jsonb_agg(jsonb_build_object(
                               'version', u.version, 'event_type', u.type, 'schema_version', u.schema_version,
                               'data', u.data, 'recorded_at', u.recorded_at
                           ) order by u.version)
                      from (select e.version, e.type, e.schema_version, e.data::text as data, e.recorded_at
                              from events e
                             where e.stream_id = s.id and e.version > s.version
                             order by e.version
                             limit unseen_max + 1) as u
                    having count(*) <= unseen_max and sum(octet_length(u.data)) <= unseen_bytes_max) as unseen,
                   null::uuid as owner, null::jsonb as record
              from unnest(s_group, s_stream, s_version) as s (grp, id, version)
              left join lateral (
                    select e.version from events e
                     where e.stream_id = s.id and e.version >= s.version
                     order by e.version desc
                     limit 1
              ) as tail on true
             where s.grp = any (failed) and coalesce(tail.version, 0) <> s.version
            union all
            select c.grp, 'claim', null, c.scope, c.key, null, held.owner_id, null
              from unnest(c_group, c_scope, c_key, c_owner) as c (grp, scope, key, owner_id)
              left join lateral (
                    select h.owner_id from claims h
                     where h.scope = c.scope and h.key = c.key
                     limit 1
              ) as held on true
             where c.grp = any (failed) and held.owner_id is distinct from c.owner_id
            union all
            -- The build before expects the principal and the key of every record.
            select i.grp, 'record', null, null, null, null, null,
                   known.record || jsonb_build_object('principal', i.principal, 'key', i.key)
              from unnest(i_group, i_id, i_principal, i_key) as i (grp, id, principal, key)
             cross join lateral (
                    select to_jsonb(r) as record from idempotency_records r
                     where r.id = i.id
                     limit 1
              ) as known
             where i.grp = any (failed)
            union all
            select k.grp, 'subject', k.subject, null, null, null, null, null
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

create function append(
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
    failed  integer[];
    -- Of the events that are written: how many, up to and with each place of e_. Null if all are.
    written bigint[];
    events_written bigint := cardinality(e_group);
    records_written bigint := 0;
    -- The contender before this batch, and then after it.
    waited uuid;
    -- Whether there is more than streams and events, which is seldom so. It is asked once, because the least
    -- question costs a microsecond in each call.
    has_more boolean := cardinality(c_group) + cardinality(i_group) + cardinality(w_group) + cardinality(k_group) > 0;
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

    update executors x
       set last_batch = append.batch, seen_at = append.at
     where x.id = append.executor and x.last_batch = append.batch - 1;
    current := found;
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
    if has_more then
        i_id := coalesce(i_id, array(
            select record_id(i.principal, i.key)
              from unnest(i_principal, i_key) with ordinality as i (principal, key, place)
             order by i.place
        ));
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
    -- Who is refused because something moved goes next; who has done so makes room for others.
    if failed <> '{}' then
        waited := coalesce(waited, executor);
    elsif waited = executor then
        update log_head h set contender = null where h.only_row;
        waited := null;
    end if;
    if has_more then
        failed := failed || array(
            select i.grp
              from unnest(i_group, i_id) as i (grp, id)
             cross join lateral (
                    select 1 from idempotency_records r
                     where r.id = i.id
                     limit 1
              ) as known
        ) || array(
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

    -- Positions are given to what is left, in order.
    if failed <> '{}' then
        moved := what_moved(
            failed, s_group, s_stream, s_version, c_group, c_scope, c_key, c_owner,
            i_group, i_id, i_principal, i_key, k_group, k_subject, k_version, k_wrapped
        );
        if events_written > 0 then
            written := array(
                select count(*) filter (where e.grp <> all (failed)) over (order by e.place)
                  from unnest(e_group) with ordinality as e (grp, place)
            );
            events_written := written[events_written];
        end if;
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

    if has_more then
        insert into idempotency_records
        select i.id, i.hash, i.status, i.stream, i.version,
               head + coalesce(written[i.event], i.event, 0), append.at, i.principal, i.key
          from unnest(i_group, i_id, i_principal, i_key, i_hash, i_status, i_stream, i_version, i_event)
               as i (grp, id, principal, key, hash, status, stream, version, event)
         where i.status is not null and i.grp <> all (failed);
        get diagnostics records_written = row_count;
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

-- The append of one event without claims and subject keys, such as a bid that nobody else sends at the same
-- time: the same statements without the arrays, which are most of what it costs. Whatever is unusual is left
-- to append.
create function append_one(
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
    out current boolean,
    out early   boolean,
    out late    boolean,
    out head    bigint,
    out at      timestamptz,
    out contended boolean,
    out moved   jsonb
)
language plpgsql volatile security definer
set search_path = public, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
    waited uuid;
begin
    i_id := coalesce(i_id, record_id(i_principal, i_key));
    update log_head h
       set position = h.position + 1,
           recorded_at = greatest(clock_timestamp(), h.recorded_at)
     where h.only_row
    returning h.position - 1, h.recorded_at, h.contender
      into head, at, waited;
    if waited is null
       and coalesce(at >= valid_from and greatest(clock_timestamp(), at) <= valid_until, valid_until is null)
    then
        with mine as (
            update executors x
               set last_batch = append_one.batch, seen_at = append_one.at
             where x.id = append_one.executor and x.last_batch = append_one.batch - 1
               and not exists (
                    select
                      from unnest(s_stream, s_version) as s (id, version)
                      left join lateral (
                            select e.version from events e
                             where e.stream_id = s.id and e.version >= s.version
                             order by e.version desc
                             limit 1
                      ) as tail on true
                     where coalesce(tail.version, 0) <> s.version
               )
               and not exists (
                    select from idempotency_records r
                     where r.id = i_id
               )
            returning 1
        )
        insert into events
        select head + 1, e_id, e_stream, e_version, e_aggregate, e_type, e_schema, e_data::json, e_metadata::json,
               append_one.at
          from mine;
        current := found;
        if current then
            if i_id is not null then
                insert into idempotency_records
                values (i_id, i_hash, i_status, i_stream, i_version, head + 1, append_one.at, i_principal, i_key);
            end if;
            return;
        end if;
    end if;

    perform end_log_at(head, waited);
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

revoke execute on function append, append_one, what_moved, record_id from public;
grant execute on function append, append_one to tidemark_append;

comment on table idempotency_records is 'The commands that came with an Idempotency-Key, and what was answered to them, so that the same request gets the same answer again.';
comment on column idempotency_records.id is 'The first 16 bytes of the SHA-256 of the principal who sent the command (the route, if nobody was logged in), a zero byte, and the Idempotency-Key.';
comment on column idempotency_records.request_hash is 'The HMAC-SHA-256 of the request. Another request with the same key is refused.';
comment on column idempotency_records.status is 'The HTTP status of the answer.';
comment on column idempotency_records.stream_id is 'The stream that the answer names.';
comment on column idempotency_records.version is 'The version of that stream after the command.';
comment on column idempotency_records.position is 'The position of the log after the command.';
comment on column idempotency_records.principal is 'The principal who sent the command, if it is a service: a reactor may send it again. Null otherwise.';
comment on column idempotency_records.key is 'The Idempotency-Key of the command, if a service sent it. Null otherwise.';
comment on function record_id is 'The id of the idempotency record of a principal and a key.';
comment on function append_one is 'Appends one event that a command decided which takes no claims and brings no subject keys. The parameters and the answer are those of append, with values in place of arrays.';
comment on function what_moved is 'The conflicts of the failed groups of a batch, as append answers them. The parameters are those of append.';

comment on function append is $$
Appends what a batch of commands decided. No other function writes events.

The commands of a batch come in groups. A group is written as a whole if nothing that it rests on has changed; otherwise nothing of it is written. A conflict raises no error: it is part of the answer.

The batch:
executor: The executor that sends the batch. It must have been registered by register_executor.
batch: The number of the batch. Each executor counts its batches from 1, and the append looks at a batch only if the one before it was the executor's last. So a batch that is sent twice is written once.
valid_from: The time, by the clock of this server, before which nothing is written: the decisions of the batch rest on a time that is not here yet. Null means that there is no such time.
valid_until: The time, by the clock of this server, until which the decisions of the batch are valid. After it, nothing is written. Null means that there is no such time.

All other parameters are arrays. Those with the same prefix have the same length and are the columns of a table. In each of these tables, _group is the number of the group that a row belongs to.

e_, the events to append, in the order in which they get their positions:
e_id: The id of the event.
e_stream: The stream that the event belongs to.
e_version: The version that the stream has after the event. The first event of a stream has version 1.
e_aggregate: The name of the aggregate that the stream is, such as auction.
e_type: The type of the event, such as auction.opened.
e_schema: The version of the schema that the data follows.
e_data: The data of the event as JSON text. Its bytes are stored as they are.
e_metadata: The metadata of the event as JSON text: who caused it and why. Its bytes are stored as they are.

s_, the streams that the group read or writes:
s_stream: The stream.
s_version: The version that the group's decisions assume the stream to have before this batch; 0 if it has no events. The group conflicts if the stream has another version.

c_, the claims that the group read:
c_scope: The scope of the claim, which says what kind of value it is.
c_key: The key of the claim: the value, or its keyed hash if it is personal.
c_owner: The stream that the group's decisions assume to own the claim; null if no stream does. The group conflicts if the claim has another owner.

w_, the claims that the group writes:
w_scope: The scope of the claim.
w_key: The key of the claim.
w_owner: The stream that owns the claim from now on. Null releases the claim.

i_, the idempotency records of the group's commands. The group conflicts if one of them exists already:
i_id: The id of the record, as record_id makes it. If it is null, it is made of i_principal and i_key.
i_principal: The principal who sent the command, if it is a service; null otherwise.
i_key: The Idempotency-Key of the request, if the principal is a service; null otherwise.
i_hash: The HMAC-SHA-256 of the request.
i_status: The HTTP status of the answer. Null if the command was refused: then no record is written.
i_stream: The stream that the answer names.
i_version: The version of that stream after the command.
i_event: The place of the command's last event in the arrays e_, counted from 1. Null if the command wrote no event.

k_, the subject keys that the group's events need:
k_subject: The person whose key it is.
k_version: The number of the key among the keys of that person.
k_wrapped: The key, encrypted under the master key, if it is new; this call stores it, and the group conflicts if it exists already. Null if the key must exist; the group conflicts if it was destroyed or never existed.

The answer:
current: False if the batch was not the executor's next one. Then nothing was written.
early: True if valid_from was not reached; null or false otherwise. If it is true, nothing was written, but the number of the batch is used up.
late: True if valid_until had passed; null or false otherwise. If it is true, nothing was written either, and the number of the batch is used up.
contended: True, and otherwise null or false, if another executor was refused because of what moved and has not appended since. This one should let it go first, by calling yield_to_contender.
head: The last position of the log before this call. The events of the groups that were written follow it without gaps.
at: The time at which the events were recorded: that of this server, but never before the event before them.
moved: The conflicts, as a JSON array. Each has the "group" that was not written and a "kind": "stream" with the "id" of the stream and the events that the group has not seen ("unseen"; left out if they are many), "claim" with its "scope" and "key" and its present "owner", "record" with the "record" that exists, or "subject" with the "id" of the person. Every group that is not named here was written.
$$;
