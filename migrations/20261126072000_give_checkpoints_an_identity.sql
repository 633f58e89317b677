-- Gives generations and checkpoints an identity. A position alone does not say which event is there: a log that
-- was restored from a backup goes on with other events at positions that it has had before.

alter table generations
    add column state text check (state in ('building', 'ready', 'serving', 'kept', 'dropped')),
    add column fold_version integer;
comment on column generations.state is 'building: it follows the log to its end for the first time. ready: it may serve. serving: queries read it. kept: it served before, and may serve again. dropped: its rows are gone.';
comment on column generations.fold_version is 'The version of the fold that makes the rows. A build of the program with another version does not write them.';
update generations
   set state = case when serving then 'serving' else 'building' end,
       fold_version = 1;
alter table generations
    alter column state set not null,
    alter column fold_version set not null;

alter table checkpoints
    add column timeline integer references timelines,
    add column event_id uuid,
    add column in_log boolean not null default true;
comment on column checkpoints.timeline is 'The timeline of the log when the checkpoint was written; null before the first write.';
comment on column checkpoints.event_id is 'The event at the position; null at position 0.';
comment on column checkpoints.in_log is 'False if the log turned out not to hold that event: the rows are of another history, and must be made anew.';

alter table reactors
    add column timeline integer references timelines,
    add column event_id uuid;
comment on column reactors.timeline is 'The timeline of the log when the checkpoint was written; null before the first write.';
comment on column reactors.event_id is 'The event at the position; null at position 0.';

-- A build that does not know these columns moves the position alone.
create function identify_checkpoint() returns trigger language plpgsql as $$
begin
    select log_head.timeline,
           events.event_id
      into new.timeline,
           new.event_id
      from log_head
      left join events
        on events.position = new.position;
    return new;
end
$$;
comment on function identify_checkpoint is 'Fills in which event is at a position that was moved without saying so.';

create trigger identify before update of position on checkpoints
    for each row when (new.position <> old.position and new.event_id is not distinct from old.event_id)
    execute function identify_checkpoint();
create trigger identify before update of position on reactors
    for each row when (new.position <> old.position and new.event_id is not distinct from old.event_id)
    execute function identify_checkpoint();

update checkpoints
   set timeline = (select timeline from log_head),
       event_id = (select event_id from events where events.position = checkpoints.position)
 where position > 0;
update reactors
   set timeline = (select timeline from log_head),
       event_id = (select event_id from events where events.position = reactors.position)
 where position > 0;

create or replace view serving_shards as
select g.read_model,
       g.generation,
       c.shard,
       coalesce(g.shards, 1) as shards,
       known.position,
       case when c.blocked is not null or not known.in_log then known.position end as blocked_at,
       h.timeline,
       h.position            as head
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
comment on column serving_shards.position is 'All events up to here are in the rows of this shard; 0 if the rows are of another history than the log.';

drop index one_generation_serves;
alter table generations drop column serving;
create unique index one_generation_serves on generations (read_model) where state = 'serving';
