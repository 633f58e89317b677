//! What read models promise: each is a fold of the log, whatever happens to the processes that fold it.

mod consistency;
mod documents;
mod extremes;
mod failover;
mod isolation;
mod other_log;
mod parking;
mod rebuilds;
mod repeated_records;
mod replay;
mod shards;
mod trade;
