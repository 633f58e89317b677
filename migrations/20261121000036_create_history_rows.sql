-- The read model `history`: what auditors search the log by, so that `events` needs no more indexes.

create table history_rows (
    generation  integer     not null,
    id          uuid        not null,
    doc         json        not null,
    position    bigint      not null,
    aggregate   text        not null generated always as (doc ->> 'aggregate') stored,
    event_type  text        not null generated always as (doc ->> 'event_type') stored,
    actor       text        generated always as (doc ->> 'actor') stored,
    recorded_at timestamptz not null generated always as (instant(doc ->> 'recorded_at')) stored,
    primary key (generation, id)
) partition by list (generation);
comment on column history_rows.position is 'Of the event itself: a row never changes.';

create table history_rows_1 partition of history_rows for values in (1);

create index on history_rows (position);
create index on history_rows (event_type, position);
create index on history_rows (aggregate, position);
create index on history_rows (actor, position);
-- Rises with position, so a small summary per block range finds an interval.
create index on history_rows using brin (recorded_at);

insert into generations (read_model, generation, serving) values ('history', 1, true);
insert into checkpoints (read_model, generation) values ('history', 1);

grant select, insert, update, delete on history_rows to tidemark_project;
grant select on history_rows to tidemark_append, tidemark_read;
