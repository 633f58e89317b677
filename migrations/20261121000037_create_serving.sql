-- What a query must know of a read model, in the same statement as its rows: which generation
-- answers, how far that has applied the log, and where the log is.

create view serving as
select g.read_model,
       g.generation,
       min(c.position) as position,
       min(c.position) filter (where c.blocked is not null) as blocked_at,
       h.timeline,
       h.position      as head
  from generations g
  join checkpoints c
    on c.read_model = g.read_model
   and c.generation = g.generation
 cross join log_head h
 where g.serving
 group by g.read_model, g.generation, h.timeline, h.position;
comment on column serving.position is 'All events up to here are in the rows of every shard.';
comment on column serving.blocked_at is 'The position behind which a shard cannot go on; null while all is well.';

grant select on serving to tidemark_append, tidemark_project, tidemark_read;
