-- The folds of profiles, preferences and deliveries have other versions, since there are texts and telephones. Where there are no
-- events, there are no rows that the folds before have made, so that nothing is to be built anew.

update generations
   set fold_version = case read_model when 'delivery' then 2 else 3 end
 where read_model in ('profile', 'preferences', 'delivery')
   and generation = 1
   and not exists (select from events);
