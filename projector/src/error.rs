//! Why a projector cannot run, and how an error is told with its causes.

use std::error::Error as StdError;

use tidemark_event_store::SealError;
use tidemark_platform::{auth, config, object_store, shutdown};

/// Why a projector cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration lacks a required setting.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// A setting of the section `projection` names a read model that does not exist.
    #[error("projection.{0}: there is no read model `{1}`")]
    UnknownReadModel(&'static str, String),
    /// `database.project_url` is not a Postgres URL.
    #[error("TIDEMARK_DATABASE__PROJECT_URL cannot be used: {0}")]
    Database(#[from] sqlx::Error),
    /// `redis.url` is not a Redis URL.
    #[error("TIDEMARK_REDIS__URL cannot be used: {0}")]
    Redis(#[from] redis::RedisError),
    /// There is no credential with which the commands of reactors could be sent.
    #[error("the commands of reactors cannot be sent: {0}")]
    Credential(#[from] auth::Error),
    /// The HTTP client that sends the commands of reactors cannot be made.
    #[error("the HTTP client cannot be made: {0}")]
    HttpClient(#[from] reqwest::Error),
    /// The certificates that the system trusts cannot be used for the calls of tasks.
    #[error("the servers of tasks cannot be trusted: {0}")]
    Tls(#[from] rustls::Error),
    /// `mail.from` is not an address that mails can come from.
    #[error("TIDEMARK_MAIL__FROM cannot be used: {0}")]
    MailFrom(lettre::address::AddressError),
    /// The place of media cannot be used.
    #[error("media.place: {0}")]
    MediaPlace(#[from] object_store::Error),
    /// `mail.return_path` is not an address that mails can come back to.
    #[error("TIDEMARK_MAIL__RETURN_PATH cannot be used: {0}")]
    MailReturnPath(lettre::address::AddressError),
    /// `sealing.master_key` or `sealing.lookup_key` is wrong.
    #[error("sealing.master_key or sealing.lookup_key: {0}")]
    Sealing(#[from] SealError),
    /// The listener failed.
    #[error("cannot serve: {0}")]
    Serve(#[from] std::io::Error),
    /// A part of the projector panicked.
    #[error(transparent)]
    Panicked(#[from] shutdown::Panicked),
}

/// The message of an error, followed by those of its causes that it does not contain already.
pub(crate) fn with_causes(error: &dyn StdError) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.contains(&cause) {
            text
        } else {
            format!("{text}: {cause}")
        }
    })
}
