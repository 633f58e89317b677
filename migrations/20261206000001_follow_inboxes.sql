-- Whoever follows their inbox is sent it when it changes, so that what changed since a position is looked for. An inbox has changed
-- also when a notification was archived, which is in the fold of another version. Where there are no events, there are no rows that
-- the fold before has made, so that nothing is to be built anew.

create index on inbox_rows (position, id);

update generations
   set fold_version = 2
 where read_model = 'inbox'
   and generation = 1
   and not exists (select from events);
