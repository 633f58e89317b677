-- The read model `media`: what users have uploaded, until it is deleted.

create table media_rows (
    generation integer not null,
    id         uuid    not null,
    doc        json    not null,
    position   bigint  not null,
    owner_id   uuid    not null,
    primary key (generation, id)
) partition by list (generation);
comment on table media_rows is 'A row for everything that is stored. Ids are in the order in which uploads began, and lists are sorted by them.';

create table media_rows_1 partition of media_rows for values in (1);

create index on media_rows (owner_id, id desc nulls last);

-- A build that writes documents alone would leave the column to this, as with all read models.

create function fill_media_columns() returns trigger language plpgsql as $$
begin
    new.owner_id := new.doc ->> 'owner_id';
    return new;
end
$$;

create trigger fill_columns before insert or update on media_rows
    for each row when (current_setting('tidemark.columns', true) is distinct from 'written') execute function fill_media_columns();

insert into generations (read_model, generation, state, fold_version) values ('media', 1, 'serving', 1);
insert into checkpoints (read_model, generation) values ('media', 1);

grant select, insert, update, delete on media_rows to tidemark_project;
grant select on media_rows to tidemark_append, tidemark_read;
