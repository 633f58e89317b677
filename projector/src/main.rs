//! The binary. Everything that it can do is in [`tidemark_projector::cli`].

use std::process::ExitCode;

use clap::Parser;
use tidemark_platform::shutdown;
use tidemark_projector::cli::Cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    shutdown::run_process(Cli::parse().execute())
}
