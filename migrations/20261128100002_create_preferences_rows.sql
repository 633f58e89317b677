-- The read model `preferences`: how each user is notified.

create table preferences_rows (
    generation integer not null,
    id         uuid    not null,
    doc        json    not null,
    position   bigint  not null,
    primary key (generation, id)
) partition by list (generation);
comment on table preferences_rows is 'The id is that of the user.';

create table preferences_rows_1 partition of preferences_rows for values in (1);

insert into generations (read_model, generation, state, fold_version) values ('preferences', 1, 'serving', 1);
insert into checkpoints (read_model, generation) values ('preferences', 1);

grant select, insert, update, delete on preferences_rows to tidemark_project;
grant select on preferences_rows to tidemark_append, tidemark_read;
