-- The fold of categories has another version, since it shows pictures. Where there are no events, there are no rows that the fold
-- before has made, so that nothing is to be built anew.

update generations
   set fold_version = 2
 where read_model = 'category'
   and generation = 1
   and not exists (select from events);
