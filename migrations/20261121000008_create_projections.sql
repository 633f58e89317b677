-- Read models: which generations exist, how far each shard has applied the log.

create table generations (
    read_model text    not null,
    generation integer not null,
    serving    boolean not null default false,
    primary key (read_model, generation)
);
create unique index one_generation_serves on generations (read_model) where serving;

create table checkpoints (
    read_model text        not null,
    generation integer     not null,
    shard      integer     not null default 0,
    position   bigint      not null default 0,
    blocked    text,
    updated_at timestamptz not null default clock_timestamp(),
    primary key (read_model, generation, shard),
    foreign key (read_model, generation) references generations
) with (fillfactor = 50);
comment on column checkpoints.position is 'All events up to here are in the rows, which the same transaction wrote.';
comment on column checkpoints.blocked is 'Why the event after position could not be applied; null while all is well.';

grant select, insert, update, delete on generations, checkpoints to tidemark_project;
grant select on generations, checkpoints to tidemark_append, tidemark_read;
