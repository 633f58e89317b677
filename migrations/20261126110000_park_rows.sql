-- A row to which an event cannot be applied is parked: it waits alone, and everything else goes on.

create table parked (
    read_model text        not null,
    generation integer     not null,
    shard      integer     not null,
    id         uuid        not null,
    kind       text        not null check (kind in ('row', 'stream')),
    position   bigint      not null,
    reason     text        not null,
    attempts   integer     not null default 1,
    tried_by   text        not null,
    parked_at  timestamptz not null default clock_timestamp(),
    primary key (read_model, generation, id),
    foreign key (read_model, generation, shard) references checkpoints on delete cascade
);
create index on parked (read_model, generation, shard, position);
comment on table parked is 'The rows that wait because an event could not be applied to them. A checkpoint says that everything up to it was applied or waits.';
comment on column parked.id is 'The id of the row.';
comment on column parked.kind is 'row: the fold failed, or Postgres refuses what it made. stream: the event cannot be read, and only its stream or its id tells which row it is about.';
comment on column parked.position is 'The first event that the row lacks.';
comment on column parked.reason is 'Why the last attempt to make the row failed.';
comment on column parked.attempts is 'How often it was tried to make the row.';
comment on column parked.tried_by is 'The build of the program that tried last. Another build tries again by itself.';

create table parked_events (
    read_model text    not null,
    generation integer not null,
    id         uuid    not null,
    position   bigint  not null,
    primary key (read_model, generation, id, position),
    foreign key (read_model, generation, id) references parked on delete cascade
);
comment on table parked_events is 'The events that wait for a parked row, the first one included.';

grant select, insert, update, delete on parked, parked_events to tidemark_project;
grant select on parked, parked_events to tidemark_read;

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
           and p.shard = c.shard) as parked_at
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
comment on column serving_shards.position is 'All events up to here are in the rows of this shard, or wait for a parked row; 0 if the rows are of another history than the log.';
comment on column serving_shards.parked_at is 'The first event that a parked row of this shard lacks; null if no row is parked.';

create or replace view serving as
select read_model,
       generation,
       min(position)   as position,
       min(blocked_at) as blocked_at,
       timeline,
       head,
       min(parked_at)  as parked_at
  from serving_shards
 group by read_model, generation, timeline, head;
comment on column serving.parked_at is 'The first event that a parked row lacks; null if no row is parked.';
