//! The log in Postgres: append, read, claims, idempotency records, subject keys; the relay to Kafka;
//! the feeds. It knows events as stored text and decides nothing.

mod answer;
mod append;
mod idempotency;
mod lease;
mod log;
mod schema;
mod sealing;
mod snapshot;

pub mod feed;
pub mod kafka;
pub mod relay;

pub use answer::answered;
pub use append::{Appended, Appender, Group, KeyUse, Moved, NewEvent, NewRecord, Outcome};
pub use idempotency::Record;
pub use lease::{Lease, Leases};
pub use log::{Head, Log, Published};
pub use schema::migrate;
pub use sealing::{Keys, LookupKey, NewKey, SealError, SubjectKey};
pub use snapshot::Snapshot;
