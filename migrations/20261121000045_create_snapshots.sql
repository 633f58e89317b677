-- States of long streams, so that loading one reads its last events only. Only events are the truth:
-- this table may be emptied at any time.

create table snapshots (
    stream_id     uuid        not null primary key,
    version       bigint      not null,
    recorded_at   timestamptz not null,
    aggregate     text        not null,
    state_version smallint    not null,
    state         json        not null
);
comment on column snapshots.version is 'Of the last event that it holds.';
comment on column snapshots.state_version is 'What the build calls this shape and meaning of the state. Any other build loads the events.';

grant select on snapshots to tidemark_append;

-- Keeps a state unless a later one is kept: of a newer build, or of more events. What is not
-- committed has no row among the events, so no state of it is kept.
create function save_snapshot(
    stream_id     uuid,
    version       bigint,
    state_version smallint,
    state         text
) returns void
language sql volatile security definer set search_path = public, pg_temp as $$
    insert into snapshots as kept
    select e.stream_id, e.version, e.recorded_at, e.aggregate, save_snapshot.state_version, save_snapshot.state::json
      from events e
     where e.stream_id = save_snapshot.stream_id and e.version = save_snapshot.version
        on conflict (stream_id) do update
       set version = excluded.version,
           recorded_at = excluded.recorded_at,
           aggregate = excluded.aggregate,
           state_version = excluded.state_version,
           state = excluded.state
     where (kept.state_version, kept.version) <= (excluded.state_version, excluded.version)
$$;

revoke execute on function save_snapshot from public;
grant execute on function save_snapshot to tidemark_append;
