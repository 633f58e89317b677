//! The connections of the tool. A pool tries again for as long as a caller may wait, and then does not say why it failed.
//! So one connection is made before, which tells that at once.

use std::io::ErrorKind;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};
use tidemark_event_store::TimedPool;
use tidemark_platform::config::required;
use tidemark_platform::{Config, database};
use tokio::time::timeout;

use super::Error;

/// The variable that names the database and the projector's role.
const PROJECT_URL: &str = "TIDEMARK_DATABASE__PROJECT_URL";
/// The variable that names the database and the owner of its schema.
pub(super) const OWNER_URL: &str = "TIDEMARK_DATABASE__OWNER_URL";

/// Connections of the projector's role.
pub(super) async fn connect(config: &Config) -> Result<TimedPool, Error> {
    let url = project_url(config)?;
    connection(config, url, PROJECT_URL).await?.close().await?;
    pool(config)
}

/// The same, for a command that goes on although Postgres is away.
pub(super) fn pool(config: &Config) -> Result<TimedPool, Error> {
    let pool = database::pool(&config.database, project_url(config)?)?;
    Ok(TimedPool::new(pool, config.database.response_timeout()))
}

fn project_url(config: &Config) -> Result<&str, Error> {
    let url = required(&config.database.project_url, "database.project_url");
    Ok(url?)
}

/// A connection of the owner, who has no time limits: the database may be large.
pub(super) async fn owner(config: &Config) -> Result<PgPool, Error> {
    owner_connection(config).await?.close().await?;
    let options = PgPoolOptions::new().max_connections(1);
    Ok(options.connect_lazy(owner_url(config)?)?)
}

/// The same outside of a pool.
pub(super) async fn owner_connection(config: &Config) -> Result<PgConnection, Error> {
    connection(config, owner_url(config)?, OWNER_URL).await
}

pub(super) fn owner_url(config: &Config) -> Result<&str, Error> {
    let url = required(&config.database.owner_url, "database.owner_url");
    Ok(url?)
}

async fn connection(
    config: &Config,
    url: &str,
    variable: &'static str,
) -> Result<PgConnection, Error> {
    let options: PgConnectOptions = url.parse().map_err(|_| Error::NoUrl(variable))?;
    let limit = Duration::from_millis(config.database.acquire_timeout_ms);
    let connected = timeout(limit, PgConnection::connect_with(&options)).await;
    let connected = connected.unwrap_or_else(|_| Err(sqlx::Error::Io(ErrorKind::TimedOut.into())));
    connected.map_err(|source| Error::Unreachable {
        server: format!("{}:{}", options.get_host(), options.get_port()),
        variable,
        source,
    })
}
