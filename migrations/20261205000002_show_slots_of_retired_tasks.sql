-- The fold of tasks has another version, since a task that was resumed is not failing any more, and so has that of their health, which
-- counts the slots that were skipped because their task was retired. Where there are no events, there are no rows that the folds
-- before have made, so that nothing is to be built anew.

update generations
   set fold_version = case read_model when 'task' then 3 else 2 end
 where read_model in ('task', 'task_health')
   and generation = 1
   and not exists (select from events);
