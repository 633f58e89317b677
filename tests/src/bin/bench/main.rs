//! The benchmarks: figures of the log and what each is measured against, from one run on the
//! services that `./dev` started, with durable settings. Ratios tell more than figures: machines differ.
#![expect(clippy::print_stdout, reason = "the table is what this is for")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on fails where it stands"
)]

mod baseline;
mod commands;
mod driver;
mod table;
mod world;

use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

use table::Table;
use world::World;

/// Measures the log, and prints each figure beside what it is measured against.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// A fifth of the time for each figure: for a first look.
    #[arg(long)]
    quick: bool,
    /// Also write the figures to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// For how long each figure is measured, after a warm-up of a quarter of it.
const FULL: Duration = Duration::from_secs(15);
const QUICK: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let duration = if arguments.quick { QUICK } else { FULL };
    let progress = ProgressBar::new(commands::FIGURES);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} ({elapsed})").unwrap();
    progress.set_style(style);
    progress.enable_steady_tick(Duration::from_millis(500));
    progress.set_message("making a market");
    let world = Arc::new(World::create().await);
    let mut table = Table::default();
    commands::measure(&world, duration, &progress, &mut table).await;
    progress.finish_and_clear();
    println!("{table}");
    if let Some(file) = arguments.json {
        std::fs::write(file, table.json()).unwrap();
    }
}
