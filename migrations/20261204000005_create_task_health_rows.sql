-- The read model `task_health`: how a task fared on each day.

create table task_health_rows (
    generation integer not null,
    id         uuid    not null,
    doc        json    not null,
    position   bigint  not null,
    task_id    uuid    not null,
    primary key (generation, id)
) partition by list (generation);
comment on table task_health_rows is 'A row for each task and day in UTC. Ids are in the order of the days.';

create table task_health_rows_1 partition of task_health_rows for values in (1);

create index on task_health_rows (task_id, id desc nulls last);

-- A build that writes documents alone would leave the column to this, as with all read models.

create function fill_task_health_columns() returns trigger language plpgsql as $$
begin
    new.task_id := new.doc ->> 'task_id';
    return new;
end
$$;

create trigger fill_columns before insert or update on task_health_rows
    for each row when (current_setting('tidemark.columns', true) is distinct from 'written') execute function fill_task_health_columns();

insert into generations (read_model, generation, state, fold_version) values ('task_health', 1, 'serving', 1);
insert into checkpoints (read_model, generation) values ('task_health', 1);

grant select, insert, update, delete on task_health_rows to tidemark_project;
grant select on task_health_rows to tidemark_append, tidemark_read;
