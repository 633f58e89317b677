//! Runs a projector, and migrates the database that it needs.

use std::process::ExitCode;

use sqlx::postgres::PgPoolOptions;
use tidemark_platform::config::required;
use tidemark_platform::{Config, server, shutdown, telemetry};

use super::{Error, print};

pub(super) async fn run(config: Config) -> Result<ExitCode, Error> {
    telemetry::init(&config.telemetry)?;
    let address = config.projector.listen;
    let listener = server::listen(address).map_err(|source| Error::Listen { address, source })?;
    let shutdown = shutdown::signal().map_err(Error::Signals)?;
    crate::run(config, listener, shutdown).await?;
    Ok(ExitCode::SUCCESS)
}

/// Migrates the database, without the timeouts of other connections: a migration may take long.
pub(super) async fn migrate(config: &Config) -> Result<ExitCode, Error> {
    let url = required(&config.database.owner_url, "database.owner_url")?;
    let owner = PgPoolOptions::new().max_connections(1).connect(url).await?;
    tidemark_event_store::migrate(&owner).await?;
    print("The database has the schema of this build.");
    Ok(ExitCode::SUCCESS)
}
