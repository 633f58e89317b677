-- Generations that have applied events which the log has lost are found in several places.
create function holds_lost_events(of_read_model text, of_generation integer) returns boolean language sql stable as $$
    select exists (
               select
                 from checkpoints c
                cross join log_head h
                where c.read_model = of_read_model
                  and c.generation = of_generation
                  and c.timeline < h.timeline
                  and not log_holds(c.position, c.event_id)
           )
$$;
comment on function holds_lost_events is 'Whether a generation has applied an event of an earlier timeline which the log does not hold, since it was forked. Such rows are never right again.';
revoke execute on function holds_lost_events from public;
grant execute on function holds_lost_events to tidemark_project;
