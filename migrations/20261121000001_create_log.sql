-- The log: every fact, in one gapless order, for ever.

create table timelines (
    id        integer     primary key,
    parent    integer     references timelines,
    forked_at bigint,
    check ((parent is null) = (forked_at is null))
);
comment on table timelines is 'A log restored from the past goes on under a new timeline. Positions up to the fork belong to both.';
comment on column timelines.forked_at is 'The head of the parent at the fork: the last position that both share.';
insert into timelines (id) values (1);

-- One row that every append locks first: whoever holds it decides the next positions, and nobody
-- else can commit before. So position order is commit order and there are no gaps. The low fill
-- factor keeps its updates on one page, without touching an index.
create table log_head (
    only_row    boolean     primary key default true check (only_row),
    timeline    integer     not null references timelines,
    position    bigint      not null,
    recorded_at timestamptz not null
) with (fillfactor = 10, autovacuum_vacuum_threshold = 50, autovacuum_vacuum_scale_factor = 0);
comment on column log_head.recorded_at is 'Of the last event: the next one is never before it, so that "as of a moment" is a prefix of positions.';
insert into log_head (timeline, position, recorded_at) values (1, 0, clock_timestamp());

create table events (
    position       bigint      not null primary key,
    event_id       uuid        not null unique,
    stream_id      uuid        not null,
    version        bigint      not null,
    aggregate      text        not null,
    type           text        not null,
    schema_version smallint    not null,
    data           json        not null,
    metadata       json        not null,
    recorded_at    timestamptz not null,
    unique (stream_id, version)
);
comment on column events.data is 'json and not jsonb: the bytes are what was hashed and what Kafka carries.';
comment on column events.metadata is 'Who and why. Its bytes are hashed too.';

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'the log is append-only: % on % is refused', tg_op, tg_table_name;
end
$$;

create trigger events_are_for_ever
    before update or delete or truncate on events
    for each statement execute function refuse_change();

grant select on timelines, log_head, events
    to tidemark_append, tidemark_relay, tidemark_project, tidemark_read;
