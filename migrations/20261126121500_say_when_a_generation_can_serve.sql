-- Says when a generation can serve, for all that let one serve.
create function can_serve(read_model text, generation integer, level_events bigint) returns boolean
language sql stable
set search_path = public, pg_temp
as $$
    select exists (
               select from checkpoints c
                where c.read_model = can_serve.read_model
                  and c.generation = can_serve.generation
           )
       and not exists (
               select
                 from checkpoints c
                cross join log_head h
                where c.read_model = can_serve.read_model
                  and c.generation = can_serve.generation
                  and (c.position < h.position - level_events or c.blocked is not null or not c.in_log)
           )
       and not exists (
               select
                 from parked p
                where p.read_model = can_serve.read_model
                  and p.generation = can_serve.generation
                  and not exists (
                      select
                        from parked o
                        join generations s
                       using (read_model, generation)
                       where s.state = 'serving'
                         and o.read_model = p.read_model
                         and o.id = p.id
                  )
           )
$$;
comment on function can_serve is $$
Whether a generation can serve: each of its shards goes on, and is at most level_events behind the end of the log, and no row is parked that the generation that serves has.
$$;
revoke execute on function can_serve from public;
grant execute on function can_serve to tidemark_project;
