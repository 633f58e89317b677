-- The read model `watch`: the auctions that users watch.

create table watch_rows (
    generation integer not null,
    id         uuid    not null,
    doc        json    not null,
    position   bigint  not null,
    user_id    uuid    not null,
    primary key (generation, id)
) partition by list (generation);
comment on table watch_rows is 'The id is a UUIDv7, so that lists are sorted by it. Projectors write the columns beside the document.';

create table watch_rows_1 partition of watch_rows for values in (1);

-- In an order that the primary key has not, or Postgres might read that one backwards, past the rows of others.
create index on watch_rows (user_id, id desc nulls last);

-- A build that writes documents alone would leave the columns to this, as with all read models.
create function fill_watch_columns() returns trigger language plpgsql as $$
begin
    new.user_id := new.doc ->> 'user_id';
    return new;
end
$$;
create trigger fill_columns before insert or update on watch_rows
    for each row when (current_setting('tidemark.columns', true) is distinct from 'written') execute function fill_watch_columns();

insert into generations (read_model, generation, state, fold_version) values ('watch', 1, 'serving', 1);
insert into checkpoints (read_model, generation) values ('watch', 1);

grant select, insert, update, delete on watch_rows to tidemark_project;
grant select on watch_rows to tidemark_append, tidemark_read;
