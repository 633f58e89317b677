-- An action is a command that is posted to the command API, with a body or without, or an effect: something that is
-- done outside, after which its outcome is posted as a command.

alter table reactor_actions
    add column effect text,
    add column body json;
comment on column reactor_actions.path is 'Of the command API: what is posted there is the action, or the outcome of its effect. Empty for an effect that was not performed yet, and for an event that could not be answered.';
comment on column reactor_actions.effect is 'The name of the effect; null if the action is a command, or stands for an event that could not be answered.';
comment on column reactor_actions.body is 'Of the effect while path is empty, then of the command; null if the command has none. It holds no personal data in clear.';

-- What is due is looked for by kind, so that effects which wait for a destination that is down hold up no other action.
create index reactor_actions_due
    on reactor_actions ((coalesce(case when path = '' then effect end, '')), next_attempt_at)
 where done_at is null;
