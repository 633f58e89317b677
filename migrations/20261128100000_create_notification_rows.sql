-- The read model `notification`: what is in the inboxes of users.

create table notification_rows (
    generation integer not null,
    id         uuid    not null,
    doc        json    not null,
    position   bigint  not null,
    user_id    uuid,
    status     text,
    primary key (generation, id)
) partition by list (generation);
comment on table notification_rows is 'The id is a UUIDv7, so that lists are sorted by it. Projectors write the columns beside the document.';

create table notification_rows_1 partition of notification_rows for values in (1);

create index on notification_rows (user_id, id) where status <> 'archived';
create index on notification_rows (user_id, status, id);

insert into generations (read_model, generation, state, fold_version) values ('notification', 1, 'serving', 1);
insert into checkpoints (read_model, generation) values ('notification', 1);

grant select, insert, update, delete on notification_rows to tidemark_project;
grant select on notification_rows to tidemark_append, tidemark_read;
