-- The folds of preferences and of notifications have other versions, since there is the category `task_paused`, whose notifications
-- are about tasks. Where there are no events, there are no rows that the folds before have made, so that nothing is to be built anew.

update generations
   set fold_version = case read_model when 'preferences' then 3 else 2 end
 where read_model in ('preferences', 'notification')
   and generation = 1
   and not exists (select from events);
