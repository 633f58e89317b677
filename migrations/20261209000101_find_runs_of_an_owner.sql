-- Owners look for runs over all of their tasks, also for those whose last call came to this, as in the list of one task.

alter table task_run_rows add column outcome text;
comment on column task_run_rows.outcome is 'What came of the last attempt; null if none was made, or if a fold before wrote the row.';

create index on task_run_rows (owner_id, id desc nulls last);
create index on task_run_rows (owner_id, status, id desc nulls last);
create index on task_run_rows (owner_id, outcome, id desc nulls last);
create index on task_run_rows (task_id, outcome, id desc nulls last);

create or replace function fill_task_run_columns() returns trigger language plpgsql as $$
begin
    new.owner_id := new.doc ->> 'owner_id';
    new.task_id := new.doc ->> 'task_id';
    new.status := new.doc ->> 'status';
    new.outcome := new.doc #>> '{attempts,-1,outcome}';
    new.slot := instant(new.doc ->> 'slot');
    return new;
end
$$;

-- The fold has another version, since it fills the column. Where there are no events, there are no rows that the fold before has
-- made, so that nothing is to be built anew.

update generations
   set fold_version = 2
 where read_model = 'task_run'
   and generation = 1
   and not exists (select from events);
