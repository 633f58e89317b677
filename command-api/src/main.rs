//! The binary: reads the arguments and the configuration, and runs until it is told to stop; or looks at one picture, before it reads
//! any configuration.

use std::process::ExitCode;

use clap::Parser;
use tidemark_command_api::media::{Inspection, inspect_picture};
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
    /// Looks at the picture that comes on standard input, and ends: so the command API starts itself for each picture.
    #[arg(long, hide = true)]
    inspect_picture: Option<Inspection>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.inspect_picture {
        Some(inspection) => inspect_picture(&inspection),
        None => shutdown::run_process(async { shutdown::exit_code(start(arguments.roles).await) }),
    }
}

async fn start(roles: ProcessRoles) -> Result<(), StartError> {
    let config = Config::load()?;
    let listener = server::listen(config.command_api.listen)?;
    run(config, roles, listener, shutdown::signal()?).await
}
