-- Users take turns with what they have done outside. So whoever looks for effects that are due goes from user to user, and of each
-- from destination to destination, at a cost that does not depend on how much waits there. Commands are found by their time. Each
-- index has a condition that the other statement does not have, so that neither is taken for the other, whenever a plan was made.
--
-- Projectors of the build before still look by destination alone, with `waiting_destinations` and `reactor_actions_due_by_destination`.
create index reactor_actions_effects
    on reactor_actions (
        effect,
        (coalesce(owner_id, '00000000-0000-0000-0000-000000000000')),
        destination,
        next_attempt_at
    )
 where done_at is null and path = '' and effect is not null;

create index reactor_actions_commands
    on reactor_actions (next_attempt_at)
 where done_at is null and (path <> '' or effect is null);
drop index reactor_actions_due;
