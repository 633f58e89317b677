-- Lets a log that has lost events go on under a new timeline.

alter table timelines
    add column position bigint;
comment on column timelines.position is 'The position of the event by which an operator declared the timeline, which is the first one that is recorded on it; null for the first timeline.';
comment on column timelines.forked_at is 'The last position that the timeline shares with its parent. Tokens of the parent are good up to there.';

alter table log_head
    add column set_back boolean not null default false;
comment on column log_head.set_back is 'Whether the log has lost events, as a process found that had appended them. Then commands are refused until an operator has declared a fork.';

-- The event is the fork: whatever appends it, in whatever batch, both are committed together.
create function fork_timeline() returns trigger language plpgsql as $$
declare
    -- Postgres reads no document as such in which any text holds a null character.
    stated       constant text := substring(new.data::text from '"shared_up_to": ?(-?[0-9]+)');
    shared       constant bigint := least(stated::bigint, new.position - 1);
    old_timeline integer;
    new_timeline integer;
begin
    select h.timeline into strict old_timeline from log_head h;
    -- The minute, so that it is a higher number than that of any timeline which a restored backup does not know.
    new_timeline := greatest(old_timeline + 1, floor(extract(epoch from new.recorded_at) / 60));
    insert into timelines (id, parent, forked_at, position)
    values (new_timeline, old_timeline, shared, new.position);
    update log_head h
       set timeline = new_timeline,
           set_back = false;
    -- Every executor registers anew, and uses nothing of what it knew before.
    delete from executors;
    -- A reactor whose checkpoint the log has lost goes on from the fork. Its later actions follow from lost events.
    with moved as (
        update reactors r
           set timeline = new_timeline,
               position = shared,
               event_id = (select e.event_id from events e where e.position = shared),
               blocked = null
         where r.position > shared
           and not log_holds(r.position, r.event_id)
        returning r.name
    )
    delete from reactor_actions a
     using moved m
     where a.reactor = m.name
       and a.position > shared;
    return null;
end
$$;
comment on function fork_timeline is 'Begins the timeline that the event declares.';

create trigger fork after insert on events
    for each row when (new.type = 'fork.declared')
    execute function fork_timeline();

create function report_lost_event(timeline integer, lost_position bigint, lost_event_id uuid) returns void
language plpgsql volatile security definer set search_path = public, pg_temp as $$
begin
    update log_head h
       set set_back = true
     where h.timeline = report_lost_event.timeline
       and not h.set_back
       and not log_holds(lost_position, lost_event_id);
    if found then
        delete from executors;
    end if;
end
$$;
comment on function report_lost_event is $$
Has all commands refused until an operator has declared a fork, if the log does not hold an event that it should.

timeline: The timeline on which the event was appended. Nothing happens if a fork has been declared since.
lost_position: The position of the event.
lost_event_id: The id of the event.
$$;
revoke execute on function report_lost_event from public;
grant execute on function report_lost_event to tidemark_append;
