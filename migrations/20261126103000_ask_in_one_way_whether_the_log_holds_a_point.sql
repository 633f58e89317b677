-- Checkpoints of all kinds name the event at their position, and are good only for a log that holds it.

create function log_holds(point_position bigint, point_event_id uuid) returns boolean language sql stable as $$
    select point_position = 0
        or exists (
               select
                 from events
                where events.position = point_position
                  and events.event_id = point_event_id
           )
$$;
comment on function log_holds is 'Whether the log has this event at this position. A log that was restored from a backup goes on with other events at positions that it has had before. At position 0 is no event, and every log holds it.';
