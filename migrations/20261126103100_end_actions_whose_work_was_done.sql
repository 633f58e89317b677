-- That an auction is open already says that the work of the action that opens it is done. Such actions were listed
-- among those that were given up.
update reactor_actions
   set outcome = 'done'
 where done_at is not null
   and outcome = '409 auction_already_open';
