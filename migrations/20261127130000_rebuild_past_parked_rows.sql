-- A generation whose rows are parked is compared nevertheless, so that whoever builds it is told. Whether it can serve then
-- is another question.
create function is_level(read_model text, generation integer, level_events bigint) returns boolean
language sql stable
set search_path = public, pg_temp
as $$
    select exists (
               select from checkpoints c
                where c.read_model = is_level.read_model
                  and c.generation = is_level.generation
           )
       and not exists (
               select
                 from checkpoints c
                cross join log_head h
                where c.read_model = is_level.read_model
                  and c.generation = is_level.generation
                  and (c.position < h.position - level_events or c.blocked is not null or not c.in_log)
           )
$$;
comment on function is_level is 'Whether each shard of a generation goes on, and is at most level_events behind the end of the log.';

create function parked_beyond_serving(read_model text, generation integer) returns bigint
language sql stable
set search_path = public, pg_temp
as $$
    select count(*)
      from parked p
     where p.read_model = parked_beyond_serving.read_model
       and p.generation = parked_beyond_serving.generation
       and not exists (
               select
                 from parked o
                 join generations s
                using (read_model, generation)
                where s.state = 'serving'
                  and o.read_model = p.read_model
                  and o.id = p.id
           )
$$;
comment on function parked_beyond_serving is 'How many rows are parked in a generation that are not parked in the one that serves.';

create or replace function can_serve(read_model text, generation integer, level_events bigint) returns boolean
language sql stable
set search_path = public, pg_temp
as $$
    select is_level(read_model, generation, level_events) and parked_beyond_serving(read_model, generation) = 0
$$;

revoke execute on function is_level, parked_beyond_serving from public;
grant execute on function is_level, parked_beyond_serving to tidemark_project;
