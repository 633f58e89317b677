-- The read model `delivery`: the messages to people, and what became of them.

create table delivery_rows (
    generation   integer not null,
    id           uuid    not null,
    doc          json    not null,
    position     bigint  not null,
    address_hash text,
    user_id      uuid    not null,
    status       text    not null,
    primary key (generation, id)
) partition by list (generation);
comment on table delivery_rows is 'A row for each message. The id is a UUIDv7, so that lists are sorted by it.';
comment on column delivery_rows.address_hash is 'The keyed hash of the address. Builds before did not write it into the event.';

create table delivery_rows_1 partition of delivery_rows for values in (1);

-- In an order that the primary key has not, or Postgres might read that one backwards, past the rows of others.
create index on delivery_rows (address_hash, id desc nulls last);
create index on delivery_rows (user_id, id desc nulls last);
create index on delivery_rows (status, id desc nulls last);

-- A build that writes documents alone would leave the columns to this, as with all read models.
create function fill_delivery_columns() returns trigger language plpgsql as $$
begin
    new.address_hash := left(new.doc ->> 'address_hash', 64);
    new.user_id := new.doc ->> 'user_id';
    new.status := new.doc ->> 'status';
    return new;
end
$$;
create trigger fill_columns before insert or update on delivery_rows
    for each row when (current_setting('tidemark.columns', true) is distinct from 'written') execute function fill_delivery_columns();

insert into generations (read_model, generation, state, fold_version) values ('delivery', 1, 'serving', 1);
insert into checkpoints (read_model, generation) values ('delivery', 1);

grant select, insert, update, delete on delivery_rows to tidemark_project;
grant select on delivery_rows to tidemark_append, tidemark_read;
