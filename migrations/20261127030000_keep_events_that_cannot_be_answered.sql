-- An event that a reactor cannot answer delays no other: it is kept as an action that was given up.
comment on column reactor_actions.target is 'Tells the actions of one event apart; answer stands for all that would follow from an event that could not be answered.';
comment on column reactor_actions.path is 'Of the command API: what is posted there is the action. Empty for an event that could not be answered.';
