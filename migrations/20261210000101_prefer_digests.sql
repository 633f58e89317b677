-- The fold of preferences has another version, since they say whether mails of a category come together. Where there are no events,
-- there are no rows that the fold before has made, so that nothing is to be built anew.

update generations
   set fold_version = 4
 where read_model = 'preferences'
   and generation = 1
   and not exists (select from events);
