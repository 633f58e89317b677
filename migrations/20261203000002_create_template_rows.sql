-- The read model `template`: what messages say, in the words of operators.

create table template_rows (
    generation integer not null,
    id         uuid    not null,
    doc        json    not null,
    position   bigint  not null,
    primary key (generation, id)
) partition by list (generation);
comment on table template_rows is 'A row for each channel, locale and category that words were ever published for.';

create table template_rows_1 partition of template_rows for values in (1);

insert into generations (read_model, generation, state, fold_version) values ('template', 1, 'serving', 1);
insert into checkpoints (read_model, generation) values ('template', 1);

grant select, insert, update, delete on template_rows to tidemark_project;
grant select on template_rows to tidemark_append, tidemark_read;
