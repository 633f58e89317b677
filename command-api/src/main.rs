//! The binary: reads the arguments and the configuration, and runs until it is told to stop.

use std::process::ExitCode;

use clap::Parser;
use tidemark_command_api::{ProcessRoles, StartError, run};
use tidemark_platform::{Config, server, shutdown};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Accepts commands, appends their events to the log, and publishes the log to Kafka.
///
/// All settings come from the environment (`TIDEMARK_…`); their defaults are documented in
/// `platform/src/default.toml`.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// What this replica does: `api` accepts commands, `relay` stands ready to publish the log to Kafka.
    #[arg(long, default_value_t = ProcessRoles::ALL)]
    roles: ProcessRoles,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    shutdown::run_process(async { shutdown::exit_code(start(arguments).await) })
}

async fn start(arguments: Arguments) -> Result<(), StartError> {
    let config = Config::load()?;
    let listener = server::listen(config.command_api.listen)?;
    run(config, arguments.roles, listener, shutdown::signal()?).await
}
