-- The read model `bid`: every bid, for its auction and for who placed it.

create table bid_rows (
    generation integer not null,
    id         uuid    not null,
    doc        json    not null,
    position   bigint  not null,
    auction_id uuid    not null generated always as ((doc ->> 'auction_id')::uuid) stored,
    bidder_id  uuid    not null generated always as ((doc ->> 'bidder_id')::uuid) stored,
    primary key (generation, id)
) partition by list (generation);
comment on table bid_rows is 'A bid never changes, so its position is its place in the log, and what lists are sorted by.';

create table bid_rows_1 partition of bid_rows for values in (1);

create index on bid_rows (auction_id, position);
create index on bid_rows (bidder_id, position);

insert into generations (read_model, generation, serving) values ('bid', 1, true);
insert into checkpoints (read_model, generation) values ('bid', 1);

grant select, insert, update, delete on bid_rows to tidemark_project;
grant select on bid_rows to tidemark_append, tidemark_read;
