-- Commands that a batch refuses are groups of their own, and on a hot auction all of them have read the same two streams. If
-- these moved, each group had their events in the answer: 32 copies, 10 ms during which nobody else could append.

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
    -- The most events of a stream that moved, and the most bytes of their data, that the answer holds. If
    -- there are more, the stream has to be loaded.
    unseen_max constant integer := 256;
    unseen_bytes_max constant integer := 65536;
begin
    return (
        select jsonb_agg(jsonb_strip_nulls(to_jsonb(m)) order by m."group")
          from (
            -- Many groups may have read one stream: the first of them brings its events for all.
            select s.grp as "group", 'stream' as kind, s.id as id, null as scope, null as key,
                   case when s.is_first then
                       (select jsonb_agg(jsonb_build_object(
                                   'version', u.version, 'event_type', u.type, 'schema_version', u.schema_version,
                                   'data', u.data, 'recorded_at', u.recorded_at
                               ) order by u.version)
                          from (select e.version, e.type, e.schema_version, e.data::text as data, e.recorded_at
                                  from events e
                                 where e.stream_id = s.id and e.version > s.oldest
                                 order by e.version
                                 limit unseen_max + 1) as u
                        having count(*) <= unseen_max and sum(octet_length(u.data)) <= unseen_bytes_max)
                   end as unseen,
                   null::uuid as owner, null::jsonb as record
              from (select s.grp, s.id,
                           min(s.version) over (partition by s.id) as oldest,
                           row_number() over (partition by s.id order by s.grp) = 1 as is_first
                      from unnest(s_group, s_stream, s_version) as s (grp, id, version)
                      left join lateral (
                            select e.version from events e
                             where e.stream_id = s.id and e.version >= s.version
                             order by e.version desc
                             limit 1
                      ) as tail on true
                     where s.grp = any (failed) and coalesce(tail.version, 0) <> s.version) as s
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
