-- The read model `auction`: every auction as it stands.

-- A cast to timestamptz depends on settings, so generated columns may not use it. Our documents write
-- instants as RFC 3339 with their offset, which means the same under any settings.
create function instant(text) returns timestamptz
    language sql immutable strict parallel safe
    return $1::timestamptz;

create table auction_rows (
    generation  integer     not null,
    id          uuid        not null,
    doc         json        not null,
    position    bigint      not null,
    status      text        not null generated always as (doc ->> 'status') stored,
    category_id uuid        not null generated always as ((doc ->> 'category_id')::uuid) stored,
    seller_id   uuid        not null generated always as ((doc ->> 'seller_id')::uuid) stored,
    winner_id   uuid        generated always as ((doc #>> '{outcome,winner_id}')::uuid) stored,
    currency    text        not null generated always as (doc #>> '{current_price,currency}') stored,
    price       bigint      not null generated always as ((doc #>> '{current_price,amount}')::bigint) stored,
    bid_count   bigint      not null generated always as ((doc ->> 'bid_count')::bigint) stored,
    ends_at     timestamptz not null generated always as (instant(doc ->> 'ends_at')) stored,
    search      tsvector    not null generated always as (to_tsvector('simple', doc ->> 'title')) stored,
    primary key (generation, id)
) partition by list (generation);
comment on column auction_rows.position is 'Of the event that the row last changed with.';
comment on column auction_rows.price is 'The current price, which is the starting price until there is a bid.';

create table auction_rows_1 partition of auction_rows for values in (1);

-- What changed since a position: how live updates learn of it.
create index on auction_rows (position) include (id);
create index on auction_rows (ends_at, id);
create index on auction_rows (currency, price, id);
create index on auction_rows (bid_count, id);
create index on auction_rows (category_id, id);
create index on auction_rows (seller_id, id);
create index on auction_rows (winner_id, id) where winner_id is not null;
create index on auction_rows using gin (search);

insert into generations (read_model, generation, serving) values ('auction', 1, true);
insert into checkpoints (read_model, generation) values ('auction', 1);

grant select, insert, update, delete on auction_rows to tidemark_project;
grant select on auction_rows to tidemark_append, tidemark_read;
