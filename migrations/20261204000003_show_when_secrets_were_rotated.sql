-- The fold of tasks has another version, since it shows when secrets were rotated. Where there are no events, there are no rows that
-- the fold before has made, so that nothing is to be built anew.

update generations
   set fold_version = 2
 where read_model = 'task'
   and generation = 1
   and not exists (select from events);
