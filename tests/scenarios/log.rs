//! What the log promises: each command is in it once or not at all, and every decision rests on what
//! it says at that moment.

mod absent_postgres;
pub(crate) mod contention;
mod cut_connections;
mod defects;
mod expected_versions;
mod expiry;
mod fairness;
mod floods;
mod idempotency;
pub(crate) mod kafka;
mod query_plans;
mod read_sets;
mod records;
mod registered_anew;
mod repeated_requests;
mod shares;
mod silent_postgres;
mod slow_commits;
mod snapshots;
pub(crate) mod time;
pub(crate) mod timelines;
mod unknown_outcomes;
mod waking;
mod writers;
