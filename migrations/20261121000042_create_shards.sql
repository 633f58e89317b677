-- Read models in several shards: each follows the whole log, folds the rows that are its own, and has
-- a checkpoint of its own.

alter table generations add column shards integer check (shards between 1 and 255);
comment on column generations.shards is 'Decided by the first projector that follows the generation, and fixed from then on; null until then, which means one.';

update generations
   set shards = 1
 where (read_model, generation) in (select read_model, generation from checkpoints where position > 0);

-- The last four bytes of the id, as an unsigned number, modulo the shards. It is the same for ever: rows
-- are where it said they are. The last bytes of a UUIDv7 are random. `Shard` of the crate read-models
-- computes the same.
create function shard_of(id uuid, shards integer) returns integer
    language sql immutable strict parallel safe
    return (('x' || right(id::text, 8))::bit(32)::bigint % shards)::integer;

-- What a query must know of a shard, in the same statement as rows of it.
create view serving_shards as
select g.read_model,
       g.generation,
       c.shard,
       coalesce(g.shards, 1) as shards,
       c.position,
       case when c.blocked is not null then c.position end as blocked_at,
       h.timeline,
       h.position            as head
  from generations g
  join checkpoints c
    on c.read_model = g.read_model
   and c.generation = g.generation
 cross join log_head h
 where g.serving;
comment on column serving_shards.position is 'All events up to here are in the rows of this shard.';
comment on column serving_shards.blocked_at is 'The position behind which the shard cannot go on; null while all is well.';

-- The same of all shards, for rows that may be in any of them.
create or replace view serving as
select read_model,
       generation,
       min(position)   as position,
       min(blocked_at) as blocked_at,
       timeline,
       head
  from serving_shards
 group by read_model, generation, timeline, head;

grant select on serving_shards to tidemark_append, tidemark_project, tidemark_read;
