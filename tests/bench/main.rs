//! The benchmarks: figures of the log and what each is measured against, from one run on the
//! services that `./dev` started, with durable settings. Ratios tell more than figures: machines differ.
#![expect(clippy::print_stdout, reason = "the table is what this is for")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on fails where it stands"
)]

mod baseline;
mod bidders;
mod commands;
mod connection;
mod driver;
mod environment;
mod fill;
mod growth;
mod http;
mod lag;
mod load;
mod memory;
mod progress;
mod reads;
mod rebuild;
mod table;
mod world;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use serde_json::json;
use tidemark_tests::Deployment;

use bidders::Market;
use environment::Environment;
use progress::Progress;
use table::Table;
use world::World;

// As the processes have it, for what is measured in this one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Tidemark, and prints each figure beside what it is measured against in the same run, and what
/// it should reach.
///
/// Everything runs on the services that `./dev` started, in databases, topics and keys of its own that go
/// with it; it refuses to run where Postgres could lose what it acknowledged. Throughputs are of clients
/// that send again as soon as they are answered; latencies beside them are of requests that arrive at a
/// fixed rate, each counted from when it was due. Nothing else should run meanwhile.
#[derive(Parser)]
#[command(name = "bench", version)]
struct Arguments {
    /// A first look, in under three minutes instead of fifteen: a fifth of the time for each figure,
    /// a log of a tenth, and a fifth of the live updates
    #[arg(long)]
    quick: bool,
    /// Only these figures, several with commas between
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<Group>,
    /// Where the figures are also written, as JSON
    #[arg(long, value_name = "FILE", default_value = ".dev/bench.json")]
    json: PathBuf,
    /// What the process of the empty handler is started with.
    #[arg(long, hide = true)]
    serve_empty: Option<SocketAddr>,
}

/// Figures that are measured together.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Group {
    /// The executor in this process, against the append function, COPY and plain transactions
    Commands,
    /// The processes at rest, and clients of live updates
    Memory,
    /// Commands over HTTP while everything runs, and how far read models are behind
    Http,
    /// From a command until a query shows it
    Visible,
    /// Reads of one document over HTTP, against an empty handler
    Reads,
    /// A read model built from the log, against COPY
    Rebuild,
    /// Appending to a long log, against a short one
    Growth,
}

/// How much is measured.
struct Size {
    /// For how long each figure is measured, after a warm-up of a quarter of it.
    duration: Duration,
    /// Events of the log that a read model is built from.
    rebuilt: i64,
    /// Events of the long log.
    long: i64,
    /// Live updates.
    clients: usize,
}

const FULL: Size = Size {
    duration: Duration::from_secs(15),
    rebuilt: 2_000_000,
    long: 10_000_000,
    clients: 10_000,
};
const QUICK: Size = Size {
    duration: Duration::from_secs(3),
    rebuilt: 200_000,
    long: 1_000_000,
    clients: 2_000,
};

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    if let Some(address) = arguments.serve_empty {
        return reads::serve_empty(address).await;
    }
    let groups = match &arguments.only[..] {
        [] => Group::value_variants(),
        only => only,
    };
    let environment = Environment::measure(arguments.quick).await;
    let size = if arguments.quick { QUICK } else { FULL };
    let table = measure(groups, &size, environment.fdatasync_per_second).await;
    println!("{environment}\n{table}");
    println!("{} figures are not what they should be.", table.misses());
    let text = json!({"environment": environment, "figures": table});
    write(&arguments.json, &format!("{text:#}\n"));
}

async fn measure(groups: &[Group], size: &Size, disk: f64) -> Table {
    let progress = Progress::new(groups.iter().map(|group| group.steps()).sum());
    let mut table = Table::default();
    if groups.contains(&Group::Commands) {
        let world = Arc::new(World::create().await);
        commands::measure(&world, (size.duration, disk), &progress, &mut table).await;
    }
    if groups.iter().any(|group| group.is_deployed()) {
        deployed(groups, size, &progress, &mut table).await;
    }
    if groups.contains(&Group::Rebuild) {
        rebuild::measure(size.rebuilt, &progress, &mut table).await;
    }
    if groups.contains(&Group::Growth) {
        growth::measure(size.long, size.duration, &progress, &mut table).await;
    }
    progress.end();
    table
}

/// What is measured on the real processes.
async fn deployed(groups: &[Group], size: &Size, progress: &Progress, table: &mut Table) {
    let deployment = Deployment::start().await;
    if groups.contains(&Group::Memory) {
        memory::at_rest(&deployment, progress, table).await;
    }
    let market = Market::open(&deployment).await;
    let both = (&deployment, &market);
    if groups.contains(&Group::Memory) {
        memory::live(&deployment, &market.auctions, size.clients, progress, table).await;
    }
    if groups.contains(&Group::Http) {
        http::commands(both, size.duration, progress, table).await;
    }
    if groups.contains(&Group::Visible) {
        http::visible(both, size.duration, progress, table).await;
    }
    if groups.contains(&Group::Reads) {
        reads::measure(both, size.duration, progress, table).await;
    }
}

impl Group {
    fn steps(self) -> u64 {
        match self {
            Self::Commands => commands::STEPS,
            Self::Memory => memory::AT_REST + memory::LIVE,
            Self::Http => http::COMMANDS,
            Self::Visible => http::VISIBLE,
            Self::Reads => reads::STEPS,
            Self::Rebuild => rebuild::STEPS,
            Self::Growth => growth::STEPS,
        }
    }

    fn is_deployed(self) -> bool {
        match self {
            Self::Memory | Self::Http | Self::Visible | Self::Reads => true,
            Self::Commands | Self::Rebuild | Self::Growth => false,
        }
    }
}

fn write(file: &Path, text: &str) {
    if let Some(directory) = file.parent() {
        std::fs::create_dir_all(directory).unwrap();
    }
    std::fs::write(file, text).unwrap();
}
