//! Why the process cannot start, or had to stop.

use tidemark_event_store::SealError;
use tidemark_platform::{auth, config, object_store, shutdown, telemetry};

/// Why the process cannot run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting is missing or wrong.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The keys of access tokens or the credential of this service are wrong.
    #[error(transparent)]
    Auth(#[from] auth::Error),
    /// `sealing.master_key` is wrong.
    #[error("sealing.master_key must be base64 of 32 bytes")]
    SealingKey,
    /// `sealing.lookup_key` is wrong.
    #[error("sealing.lookup_key must be base64 of 32 bytes")]
    LookupKey,
    /// The URL of Postgres is not valid.
    #[error("Postgres: {0}")]
    Database(#[from] sqlx::Error),
    /// The URL of Redis is not valid.
    #[error("Redis: {0}")]
    Redis(#[from] redis::RedisError),
    /// The HTTP client for the command API cannot be built.
    #[error("the client of the command API: {0}")]
    Client(#[from] reqwest::Error),
    /// The place of media cannot be used.
    #[error("media.place: {0}")]
    MediaPlace(#[from] object_store::Error),
    /// Telemetry cannot be set up.
    #[error(transparent)]
    Telemetry(#[from] telemetry::Error),
    /// The listener or the signal handlers failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A part of the process panicked.
    #[error(transparent)]
    Panicked(#[from] shutdown::Panicked),
}

impl From<SealError> for StartError {
    fn from(_: SealError) -> Self {
        Self::SealingKey
    }
}
