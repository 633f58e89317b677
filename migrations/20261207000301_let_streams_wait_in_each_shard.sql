-- A stream waits in each shard of a read model if one of its events cannot be read, and only the event says which rows it is
-- about. It waits under the first bytes of its id, the version 8, and the number of the shard, so the generation that serves
-- may have it under other numbers.
--
-- A switch asks this when the generation that serves is kept already, so that none serves: then it is the one that was kept last.
-- Before, nothing was ever switched to in which a row is parked.
create or replace function parked_beyond_serving(read_model text, generation integer) returns bigint
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
                where o.read_model = p.read_model
                  and o.generation = (
                          select s.generation
                            from generations s
                           where s.read_model = p.read_model
                             and s.generation <> p.generation
                             and s.state in ('serving', 'kept')
                           order by s.state = 'serving' desc,
                                    s.state_since desc
                           limit 1
                      )
                  and (o.id = p.id
                       or (substr(p.id::text, 15, 1) = '8' and left(o.id::text, 28) = left(p.id::text, 28)))
           )
$$;

comment on column parked.id is 'The id of the row; or of the stream that waits, with the version 8 and the number of the shard as its end.';
comment on column parked.kind is 'row: the fold failed, or Postgres refuses what it made. stream: the event cannot be read. Its stream or its id tells which row it is about, or the stream waits in each shard.';
