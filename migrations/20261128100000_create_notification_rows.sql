-- The read model `notification`: what is in the inboxes of users.

create table notification_rows (
    generation integer not null,
    id         uuid    not null,
    doc        json    not null,
    position   bigint  not null,
    user_id    uuid   not null,
    status     text   not null,
    primary key (generation, id)
) partition by list (generation);
comment on table notification_rows is 'The id is a UUIDv7, so that lists are sorted by it. Projectors write the columns beside the document.';

create table notification_rows_1 partition of notification_rows for values in (1);

-- In an order that the primary key has not, or Postgres might read that one backwards, past the rows of others.
create index on notification_rows (user_id, id desc nulls last) where status <> 'archived';
create index on notification_rows (user_id, status, id desc nulls last);

-- A build that writes documents alone would leave the columns to this, as with all read models.
create function fill_notification_columns() returns trigger language plpgsql as $$
begin
    new.user_id := new.doc ->> 'user_id';
    new.status := new.doc ->> 'status';
    return new;
end
$$;
create trigger fill_columns before insert or update on notification_rows
    for each row when (current_setting('tidemark.columns', true) is distinct from 'written') execute function fill_notification_columns();

insert into generations (read_model, generation, state, fold_version) values ('notification', 1, 'serving', 1);
insert into checkpoints (read_model, generation) values ('notification', 1);

grant select, insert, update, delete on notification_rows to tidemark_project;
grant select on notification_rows to tidemark_append, tidemark_read;
