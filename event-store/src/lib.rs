//! The log in Postgres: append, read, claims, idempotency records, subject keys; the relay to Kafka;
//! the feeds. It knows events as stored text and decides nothing.

mod append;
mod idempotency;
mod lease;
mod log;
mod pool;
mod schema;
mod sealing;
mod snapshot;

pub mod feed;
pub mod kafka;
pub mod relay;

pub use append::{
    AppendOutcome, Appended, Appender, Conflict, Group, KeyUse, NewEvent, NewIdempotencyRecord,
};
pub use idempotency::IdempotencyRecord;
pub use lease::{Lease, Leases};
pub use log::{Head, Log, Published};
pub use pool::TimedPool;
pub use schema::migrate;
pub use sealing::{Keys, LookupKey, NewKey, SealError, SubjectKey};
pub use snapshot::Snapshot;
