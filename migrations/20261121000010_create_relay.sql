-- How far Kafka holds the log. Only the relay writes here, and only in its own term.

create table relay_progress (
    only_row boolean primary key default true check (only_row),
    epoch    bigint  not null,
    position bigint  not null,
    drained  boolean not null
) with (fillfactor = 10, autovacuum_vacuum_threshold = 50, autovacuum_vacuum_scale_factor = 0);
comment on column relay_progress.epoch is 'The term that may write here: an earlier one finds another number and changes nothing.';
comment on column relay_progress.position is 'Kafka has acknowledged every event up to here. It goes back where a topic has to be published again.';
comment on column relay_progress.drained is 'The last term left nothing in flight, so the next one need not wait it out.';
insert into relay_progress (epoch, position, drained) values (0, 0, true);

create table relay_topics (
    topic      text    primary key,
    partitions integer not null
);
comment on column relay_topics.partitions is 'At creation, and from then on: keys would change their partition with another number.';

create table relay_partitions (
    topic       text    not null references relay_topics,
    partition   integer not null,
    position    bigint  not null,
    next_offset bigint  not null,
    primary key (topic, partition)
) with (fillfactor = 50);
comment on column relay_partitions.position is 'Of the last record acknowledged; 0 before the first.';
comment on column relay_partitions.next_offset is 'The offset right after that record.';

grant select, insert, update on relay_progress, relay_topics, relay_partitions to tidemark_relay;
grant select on relay_progress, relay_topics, relay_partitions
    to tidemark_append, tidemark_project, tidemark_read;
