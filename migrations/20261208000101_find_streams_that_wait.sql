-- A stream that waits in a shard may lack in any of its rows, because only its events say which rows they are about. So a query for one row
-- asks for it as it asks for the row itself: is anything missing?
create index on parked (read_model, generation, shard, position) where substr(id::text, 15, 1) = '8';

create or replace view serving_shards as
select g.read_model,
       g.generation,
       c.shard,
       coalesce(g.shards, 1) as shards,
       known.position,
       case when c.blocked is not null or not known.in_log then known.position end as blocked_at,
       h.timeline,
       h.position            as head,
       (select min(p.position)
          from parked p
         where p.read_model = c.read_model
           and p.generation = c.generation
           and p.shard = c.shard) as parked_at,
       (select min(p.position)
          from parked p
         where p.read_model = c.read_model
           and p.generation = c.generation
           and p.shard = c.shard
           and substr(p.id::text, 15, 1) = '8') as stream_parked_at
  from generations g
  join checkpoints c
    on c.read_model = g.read_model
   and c.generation = g.generation
 cross join log_head h
 cross join lateral (
       select c.in_log and c.position <= h.position as in_log,
              case when c.in_log and c.position <= h.position then c.position else 0 end as position
       ) known
 where g.state = 'serving';
comment on column serving_shards.stream_parked_at is 'The first event of a stream that waits in this shard, which any row of the shard may lack; null if no stream waits.';
