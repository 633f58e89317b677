-- The read model `inbox`: how many notifications each user has not read.

create table inbox_rows (
    generation integer not null,
    id         uuid    not null,
    doc        json    not null,
    position   bigint  not null,
    primary key (generation, id)
) partition by list (generation);
comment on table inbox_rows is 'The id is that of the user.';

create table inbox_rows_1 partition of inbox_rows for values in (1);

insert into generations (read_model, generation, state, fold_version) values ('inbox', 1, 'serving', 1);
insert into checkpoints (read_model, generation) values ('inbox', 1);

grant select, insert, update, delete on inbox_rows to tidemark_project;
grant select on inbox_rows to tidemark_append, tidemark_read;
