-- One row a running executor: the number of its last batch. An append of batch n moves it from n-1
-- to n, so whoever makes that move knows whether batch n is in the log or never will be.

create table executors (
    id         uuid        primary key,
    last_batch bigint      not null default 0,
    seen_at    timestamptz not null default clock_timestamp()
) with (fillfactor = 50);

grant select on executors to tidemark_append;
