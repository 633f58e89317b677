-- The fold of preferences has another version, since there is the category `ends_soon`. Where there are no events, there are no
-- rows that the fold before has made, so that nothing is to be built anew.

update generations
   set fold_version = 2
 where read_model = 'preferences'
   and generation = 1
   and not exists (select from events);
