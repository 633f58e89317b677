//! Why a projector cannot run.

use std::error::Error as StdError;

use tidemark_platform::config;
use tokio::task::JoinError;

use crate::reactor::sender;

/// Why a projector cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration lacks something.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// `projection.shards` names a read model that does not exist.
    #[error("projection.shards: there is no read model `{0}`")]
    UnknownReadModel(String),
    /// `database.project_url` is not a Postgres URL.
    #[error("TIDEMARK_DATABASE__PROJECT_URL cannot be used: {0}")]
    Database(#[from] sqlx::Error),
    /// `redis.url` is not a URL of Redis.
    #[error("TIDEMARK_REDIS__URL cannot be used: {0}")]
    Redis(#[from] redis::RedisError),
    /// Reactors could not send anything.
    #[error("reactors cannot send: {0}")]
    Sender(#[from] sender::Error),
    /// The listener broke.
    #[error("cannot serve: {0}")]
    Serve(#[from] std::io::Error),
    /// A part of it panicked.
    #[error("a part of the projector failed: {0}")]
    Part(#[from] JoinError),
}

/// An error with what is behind it, where its message does not say so itself.
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
