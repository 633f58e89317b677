-- The read model `product`: every product, drafts too.

create table product_rows (
    generation  integer  not null,
    id          uuid     not null,
    doc         json     not null,
    position    bigint   not null,
    seller_id   uuid     not null generated always as ((doc ->> 'seller_id')::uuid) stored,
    category_id uuid     not null generated always as ((doc ->> 'category_id')::uuid) stored,
    status      text     not null generated always as (doc ->> 'status') stored,
    primary key (generation, id)
) partition by list (generation);

create table product_rows_1 partition of product_rows for values in (1);

create index on product_rows (seller_id, id);
create index on product_rows (category_id, id);
create index on product_rows (status, id);

insert into generations (read_model, generation, serving) values ('product', 1, true);
insert into checkpoints (read_model, generation) values ('product', 1);

grant select, insert, update, delete on product_rows to tidemark_project;
grant select on product_rows to tidemark_append, tidemark_read;
