//! The log in Postgres: append, read, claims, idempotency records, snapshots, subject keys; the relay,
//! which publishes the log to Kafka; the feeds, which read it in order. The data of an event is opaque
//! text here, and nothing here decides what is written.

mod append;
mod backoff;
mod idempotency;
mod interval;
mod lease;
mod log;
mod mail_token;
mod media_link;
mod notifications;
mod pace;
mod pool;
mod schema;
mod sealing;

pub mod feed;
pub mod kafka;
pub mod relay;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod traces;

pub use append::{
    AppendOutcome, Appended, Appender, ClaimOwner, Conditions, Conflict, Group, NewEvent,
    NewIdempotencyRecord, SubjectKeyUse, UnseenEvent,
};
pub use backoff::Backoff;
pub use idempotency::{IdempotencyRecord, RecordId, RemovedRecords};
pub use lease::{Lease, Leases};
pub use log::{DefinitionPart, FollowError, Head, Log, PageLimits, Published, StatePart};
pub use mail_token::{ReturnPath, Unsubscription};
pub use media_link::MediaLink;
pub use notifications::{Notifications, notify};
pub use pace::Pace;
pub use pool::TimedPool;
pub use schema::migrate;
pub use sealing::{
    LookupKey, NewSubjectKey, SEALED_HEADER_BYTES, SealError, SealedFile, SealedRange, SubjectKey,
    SubjectKeys, plain_file_bytes,
};
