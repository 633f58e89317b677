-- Operators see the partitions to which the log is published now, and not those of topics that it was published to before.

alter table relay_partitions add column epoch bigint not null default 0;
comment on column relay_partitions.epoch is 'The last term in which the log was published to this partition. Each term saves all of its partitions when it begins; 0 if that was before terms were saved here.';
