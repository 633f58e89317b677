//! What read models promise: each is a fold of the log, whatever happens to the processes that fold it.

mod columns;
mod consistency;
mod documents;
mod dropping;
mod extremes;
mod failover;
mod isolation;
mod large_events;
mod orders;
mod other_log;
mod parked_routes;
mod parking;
mod plans;
mod reactors;
pub(crate) mod rebuilds;
mod refusing_redis;
mod repeated_records;
pub(crate) mod replay;
mod row_rebuilds;
mod series;
mod shards;
mod skips;
mod slow_queries;
mod streams;
mod throttle;
mod trade;
mod undisturbed_by_rebuilds;
