//! The binary: reads its arguments and its configuration, and runs until it receives a signal to stop.

use std::process::ExitCode;

use clap::Parser;
use tidemark_platform::{Config, server, shutdown};
use tidemark_query_api::{StartError, run};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Serves read models, live updates and the audit trail. It never writes.
///
/// All settings come from the environment (`TIDEMARK_…`); their defaults are documented in
/// `platform/src/default.toml`.
#[derive(Parser)]
#[command(version)]
struct Arguments {}

fn main() -> ExitCode {
    Arguments::parse();
    shutdown::run_process(async { shutdown::exit_code(start().await) })
}

async fn start() -> Result<(), StartError> {
    let config = Config::load()?;
    let listener = server::listen(config.query_api.listen)?;
    run(config, listener, shutdown::signal()?).await
}
