-- A third of what PostgreSQL did for a batch was to look up the versions of the streams that it rests on. An executor
-- that knows them, because it was the last to append, says so: then they need not be looked up. Nor is there a second
-- row to write, since the head tells who was the last.

alter table log_head
    add column appender uuid references executors (id) on delete set null,
    add column batch bigint;
comment on column log_head.appender is 'The executor that appended last. Null if there is none, or if it has to register anew.';
comment on column log_head.batch is 'The number of its last batch. An append of batch n moves this number from n - 1 to n, so whoever makes this move knows whether batch n is in the log.';
comment on table executors is 'The executors that append.';
comment on column executors.last_batch is 'The number that log_head.batch had when another executor became the appender; 0 before the first batch.';
comment on column executors.seen_at is 'The time of the last event when another executor became the appender. An executor that has appended nothing for long is removed.';

drop function append, append_one;

create function count_batch(executor uuid, batch bigint) returns boolean
language plpgsql volatile set search_path = public, pg_temp as $$
declare
    last_appender uuid;
begin
    update log_head h
       set batch = count_batch.batch
     where h.only_row and h.appender = executor and h.batch = count_batch.batch - 1;
    if found then
        return true;
    end if;
    select h.appender into last_appender from log_head h where h.only_row;
    if last_appender = executor
       or not exists (select from executors x where x.id = executor and x.last_batch = count_batch.batch - 1)
    then
        return false;
    end if;
    update executors x
       set last_batch = h.batch, seen_at = h.recorded_at
      from log_head h
     where x.id = h.appender;
    update log_head h set appender = executor, batch = count_batch.batch where h.only_row;
    return true;
end
$$;
comment on function count_batch is 'Takes the next number of an executor. Returns false if that is not the number of this batch, or if the executor has to register anew. The caller has locked the head.';

create or replace function resolve_batch(executor uuid, batch bigint) returns boolean
language plpgsql volatile security definer set search_path = public, pg_temp as $$
declare
    is_committed boolean;
begin
    select h.batch >= resolve_batch.batch into is_committed
      from log_head h
     where h.only_row
       for update;
    if exists (select from log_head h where h.appender = executor) then
        update log_head h set batch = resolve_batch.batch where h.only_row and not is_committed;
        return is_committed;
    end if;
    update executors x
       set last_batch = resolve_batch.batch
     where x.id = executor and x.last_batch < resolve_batch.batch;
    return not found;
end
$$;

create or replace function remove_old_executors(kept interval) returns void
language plpgsql volatile security definer set search_path = public, pg_temp as $$
begin
    -- As every append does first: otherwise they could wait for each other.
    perform from log_head h where h.only_row for update;
    delete from executors x
     where x.seen_at < clock_timestamp() - kept
       and not exists (select from log_head h where h.appender = x.id and h.recorded_at >= clock_timestamp() - kept);
end
$$;

alter function fork_timeline set search_path = public, pg_temp;

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

revoke execute on function append, append_one, count_batch from public;
grant execute on function append, append_one to tidemark_append;

comment on function append_one is 'Appends one event that a command decided which takes no claims and brings no subject keys. The parameters and the answer are those of append, with values in place of arrays; append is called with them if the log does not end at known_head, or if anything else is unusual.';

comment on function append is $$
Appends what a batch of commands decided. No other function writes events.

The commands of a batch come in groups. A group is written as a whole if nothing that it rests on has changed; otherwise nothing of it is written. A conflict raises no error: it is part of the answer.

The batch:
executor: The executor that sends the batch. It must have been registered by register_executor.
batch: The number of the batch. Each executor counts its batches from 1, and the append looks at a batch only if the one before it was the executor's last. So a batch that is sent twice is written once.
valid_from: The time, by the clock of this server, before which nothing is written: the decisions of the batch rest on a time that is not here yet. Null means that there is no such time.
valid_until: The time, by the clock of this server, until which the decisions of the batch are valid. After it, nothing is written. Null means that there is no such time.

known_head: The position at which the log ended after the last batch of the executor that was looked at. Null if the executor does not know it.

All other parameters but s_checked are arrays. Those with the same prefix have the same length and are the columns of a table. In each of these tables, _group is the number of the group that a row belongs to.

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
s_checked: How many of the streams, from the first, are looked at in any case. The executor knows of the others that they had their version when the log ended at known_head, so they are looked at only if it does not end there any more. Null if all are looked at.

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
