//! The process: what it is made of, and its start and end.

use axum::Router;
use sqlx::PgPool;
use tidemark_event_store::SealError;
use tidemark_platform::auth::Authenticator;
use tidemark_platform::clock::Clock;
use tidemark_platform::config::required;
use tidemark_platform::ops::Readiness;
use tidemark_platform::{
    Config, auth, config, database, middleware, openapi, ops, server, telemetry,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::routes;

/// Why the process cannot run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The keys of access tokens or the service's own secret are wrong.
    #[error(transparent)]
    Auth(#[from] auth::Error),
    /// `sealing.master_key` is wrong.
    #[error("sealing.master_key must be base64 of 32 bytes")]
    SealingKey,
    /// The URL of Postgres is none.
    #[error("Postgres: {0}")]
    Database(#[from] sqlx::Error),
    /// The URL of Redis is none.
    #[error("Redis: {0}")]
    Redis(#[from] redis::RedisError),
    /// The command API could never be called.
    #[error("the client of the command API: {0}")]
    Client(#[from] reqwest::Error),
    /// Telemetry cannot be set up.
    #[error(transparent)]
    Telemetry(#[from] telemetry::Error),
    /// The network or the signals of the process.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl From<SealError> for StartError {
    fn from(_: SealError) -> Self {
        Self::SealingKey
    }
}

/// Serves until `shutdown`, then ends gracefully. It starts without Postgres and Redis, and is ready
/// once Postgres answers.
///
/// # Errors
/// [`StartError`].
pub async fn run(
    config: Config,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), StartError> {
    telemetry::init(&config.telemetry)?;
    let url = required(&config.database.read_url, "database.read_url")?;
    let pool = database::pool(&config.database, url)?;
    let app = App::new(&config, pool.clone())?;
    let router = router(&config, app.clone(), pool)?;
    let stop = shutdown.child_token();
    let watch = tokio::spawn(async move { app.watch.run(stop).await });
    server::serve(listener, router, &config.http, shutdown.clone()).await?;
    shutdown.cancel();
    if let Err(error) = watch.await {
        tracing::error!(%error, "the watch ended badly");
    }
    Ok(())
}

fn router(config: &Config, app: App, pool: PgPool) -> Result<Router, StartError> {
    let readiness = Readiness::new().check("database", move || {
        let pool = pool.clone();
        async move {
            let one = sqlx::query!("select 1 as one").fetch_one(&pool).await;
            one.map(drop)
        }
    });
    let authenticator = Authenticator::from_config(config, Clock::system())?;
    let (queries, api) = routes::router().split_for_parts();
    let queries = queries.with_state(app).merge(openapi::router(api));
    Ok(middleware::apply(queries, &config.http, authenticator)
        .merge(ops::router(readiness, &config.http)))
}
