-- PostgreSQL plans a function in SQL anew in each statement that calls it, and one in PL/pgSQL once in each session. A stack at
-- rest asks several times a second whether the log holds a point, and each write of a projector asks it.

create or replace function log_holds(point_position bigint, point_event_id uuid) returns boolean language plpgsql stable as $$
begin
    return point_position = 0
        or exists (
               select
                 from events
                where events.position = point_position
                  and events.event_id = point_event_id
           );
end
$$;
