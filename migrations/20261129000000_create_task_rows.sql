-- The read models `task` and `task_run`: what users have called, and what came of each time.

create table task_rows (
    generation integer not null,
    id         uuid    not null,
    doc        json    not null,
    position   bigint  not null,
    owner_id   uuid    not null,
    primary key (generation, id)
) partition by list (generation);
comment on table task_rows is 'A row for each task, also for those that are retired.';

create table task_rows_1 partition of task_rows for values in (1);

create index on task_rows (owner_id, id desc nulls last);

-- The order of these indexes is one that the primary key has not, or Postgres might read that one backwards, past the rows of
-- others.

create table task_run_rows (
    generation integer     not null,
    id         uuid        not null,
    doc        json        not null,
    position   bigint      not null,
    owner_id   uuid        not null,
    task_id    uuid        not null,
    status     text        not null,
    slot       timestamptz not null,
    primary key (generation, id)
) partition by list (generation);
comment on table task_run_rows is 'A row for each run. Ids are in the order in which runs were requested, and lists are sorted by them.';

create table task_run_rows_1 partition of task_run_rows for values in (1);

create index on task_run_rows (task_id, id desc nulls last);
create index on task_run_rows (task_id, status, id desc nulls last);

-- A build that writes documents alone would leave the columns to these, as with all read models.

create function fill_task_columns() returns trigger language plpgsql as $$
begin
    new.owner_id := new.doc ->> 'owner_id';
    return new;
end
$$;
create function fill_task_run_columns() returns trigger language plpgsql as $$
begin
    new.owner_id := new.doc ->> 'owner_id';
    new.task_id := new.doc ->> 'task_id';
    new.status := new.doc ->> 'status';
    new.slot := instant(new.doc ->> 'slot');
    return new;
end
$$;

create trigger fill_columns before insert or update on task_rows
    for each row when (current_setting('tidemark.columns', true) is distinct from 'written') execute function fill_task_columns();
create trigger fill_columns before insert or update on task_run_rows
    for each row when (current_setting('tidemark.columns', true) is distinct from 'written') execute function fill_task_run_columns();

insert into generations (read_model, generation, state, fold_version)
values ('task', 1, 'serving', 1),
       ('task_run', 1, 'serving', 1);
insert into checkpoints (read_model, generation)
values ('task', 1),
       ('task_run', 1);

grant select, insert, update, delete on task_rows, task_run_rows to tidemark_project;
grant select on task_rows, task_run_rows to tidemark_append, tidemark_read;
