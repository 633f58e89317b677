//! Runs a projector, and migrates the database that it needs.

use std::process::ExitCode;

use tidemark_platform::{Config, server, shutdown, telemetry};

use super::postgres::owner;
use super::{Error, print};
use crate::roles::Role;

pub(super) async fn run(config: Config, roles: &[Role]) -> Result<ExitCode, Error> {
    telemetry::init(&config.telemetry)?;
    let address = config.projector.listen;
    let listener = server::listen(address).map_err(|source| Error::Listen { address, source })?;
    let shutdown = shutdown::signal().map_err(Error::Signals)?;
    crate::run(config, roles, listener, shutdown).await?;
    Ok(ExitCode::SUCCESS)
}

/// Migrates the database, without the timeouts of other connections: a migration may take long.
pub(super) async fn migrate(config: &Config) -> Result<ExitCode, Error> {
    tidemark_event_store::migrate(&owner(config).await?).await?;
    print("The database has the schema of this build.");
    Ok(ExitCode::SUCCESS)
}
