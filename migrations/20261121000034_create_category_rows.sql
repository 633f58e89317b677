-- The read model `category`: the nodes of the tree. Queries that want a subtree join it recursively.

create table category_rows (
    generation integer not null,
    id         uuid    not null,
    doc        json    not null,
    position   bigint  not null,
    parent_id  uuid    generated always as ((doc ->> 'parent_id')::uuid) stored,
    slug       text    not null generated always as (doc ->> 'slug') stored,
    sort_order integer not null generated always as ((doc ->> 'sort_order')::integer) stored,
    primary key (generation, id)
) partition by list (generation);

create table category_rows_1 partition of category_rows for values in (1);

create index on category_rows (parent_id);
create index on category_rows (slug);
create index on category_rows (sort_order, id);

insert into generations (read_model, generation, serving) values ('category', 1, true);
insert into checkpoints (read_model, generation) values ('category', 1);

grant select, insert, update, delete on category_rows to tidemark_project;
grant select on category_rows to tidemark_append, tidemark_read;
