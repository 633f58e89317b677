//! The binary. Everything that it can do is in [`tidemark_projector::cli`].

use std::process::ExitCode;

use clap::Parser;
use tidemark_projector::cli::Cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    Cli::parse().execute().await
}
