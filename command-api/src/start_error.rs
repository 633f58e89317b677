//! Why the process cannot start or go on.

use std::io;

use tidemark_event_store::SealError;
use tidemark_events::LocaleError;
use tidemark_platform::{auth, config, object_store, shutdown, telemetry};

use crate::error::Error;

/// Why the process cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The keys of access tokens or the credentials of services are wrong.
    #[error(transparent)]
    Auth(#[from] auth::Error),
    /// `sealing.master_key` or `sealing.lookup_key` is wrong.
    #[error("sealing.master_key and sealing.lookup_key must be base64 of 32 bytes")]
    SealingKey,
    /// The URL of Postgres is not valid.
    #[error("Postgres: {0}")]
    Database(#[from] sqlx::Error),
    /// A replica that only publishes the log has nowhere to publish it.
    #[error("kafka.brokers is not set, so a relay alone has nothing to do")]
    NothingToDo,
    /// Argon2 does not accept the configured cost.
    #[error("passwords: {0}")]
    Passwords(Error),
    /// The place of media cannot be used.
    #[error("media.place: {0}")]
    MediaPlace(#[from] object_store::Error),
    /// The language of mails is none.
    #[error("mail.locale {0}")]
    MailLocale(#[from] LocaleError),
    /// Telemetry cannot be set up.
    #[error(transparent)]
    Telemetry(#[from] telemetry::Error),
    /// The network fails, or the process cannot listen for signals.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A part of the process panicked.
    #[error(transparent)]
    Panicked(#[from] shutdown::Panicked),
}

impl From<SealError> for StartError {
    fn from(_: SealError) -> Self {
        Self::SealingKey
    }
}
