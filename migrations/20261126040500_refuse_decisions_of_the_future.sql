-- A decision may rest on a time that has not come yet: the clock of a process may run ahead of this
-- server's, and then a bid is refused as too late and an auction closed before its end. So an executor
-- names the time from which its decisions are good, besides the one until which they are, and the append
-- takes nothing outside of the two.
--
-- This is the function of 20261121000051 with valid_from and early.
drop function append;

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
    -- Whether batch was this executor's next one; if not, nothing was looked at.
    out current boolean,
    -- Whether it came before valid_from or after valid_until; if so, nothing was looked at either, but its
    -- number is taken.
    out early   boolean,
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
    early := coalesce(at < valid_from, false);
    late := coalesce(at > valid_until, false);
    if not current or early or late then
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

revoke execute on function append from public;
grant execute on function append to tidemark_append;

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
i_principal: The principal who sent the command.
i_key: The Idempotency-Key of the request.
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
early: True if valid_from was not reached. Then nothing was written, but the number of the batch is used up.
late: True if valid_until had passed. Then nothing was written either, and the number of the batch is used up.
head: The last position of the log before this call. The events of the groups that were written follow it without gaps.
at: The time at which the events were recorded: that of this server, but never before the event before them.
moved: The conflicts, as a JSON array. Each has the "group" that was not written and a "kind": "stream" with the "id" of the stream, "claim" with its "scope" and "key", "record" with the "record" that exists, or "subject" with the "id" of the person. Every group that is not named here was written.
$$;
