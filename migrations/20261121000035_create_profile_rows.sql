-- The read model `profile`: every user. Personal fields are sealed, so there is nothing to search by.

create table profile_rows (
    generation integer not null,
    id         uuid    not null,
    doc        json    not null,
    position   bigint  not null,
    primary key (generation, id)
) partition by list (generation);

create table profile_rows_1 partition of profile_rows for values in (1);

insert into generations (read_model, generation, serving) values ('profile', 1, true);
insert into checkpoints (read_model, generation) values ('profile', 1);

grant select, insert, update, delete on profile_rows to tidemark_project;
grant select on profile_rows to tidemark_append, tidemark_read;
