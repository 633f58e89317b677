//! The benchmark: each figure beside the baseline that it is measured against, from one run on the
//! services that `./dev` started, with durable settings. Trust the ratios more than the figures,
//! since machines differ.
#![expect(clippy::print_stdout, reason = "the table is what this is for")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on fails where it stands"
)]

mod environment;
mod figures;
mod in_process;
mod load;
mod over_http;
mod postgres_server;
mod progress;
mod table;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use serde_json::json;
use tidemark_tests::Deployment;

use environment::Environment;
use figures::{
    commands, expiry, growth, http, lists, live, memory, reads, rebuild, rebuilding, tasks, visible,
};
use progress::Progress;
use table::Table;

// The same allocator as in the processes, for what is measured in this one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Tidemark, and prints each figure beside the baseline that it is measured against in the
/// same run, and the target of that ratio or figure.
///
/// Everything runs on the services that `./dev` started, in databases, topics and keys of its own
/// that are removed at the end; it refuses to run where Postgres could lose what it acknowledged.
/// Throughputs are of clients that each send the next request as soon as the last one is answered.
/// Latencies are of requests that arrive at a fixed rate, each counted from when it was due.
/// Nothing else should run meanwhile.
#[derive(Parser)]
#[command(version, override_usage = "./dev bench [OPTIONS]")]
struct Arguments {
    /// A first look, in about 5 minutes instead of 20: a fifth of the time for each figure, logs of
    /// a tenth of the length, a fifth of the live updates
    #[arg(long)]
    quick: bool,
    /// Only these groups of figures. Example: --only commands,reads
    #[arg(long, value_name = "GROUPS", value_delimiter = ',')]
    only: Vec<Group>,
    /// The file that the figures are also written to, as JSON
    #[arg(long, value_name = "FILE", default_value = ".dev/bench.json")]
    json: PathBuf,
    /// Serves the empty handler that reads are measured against, at this address, and nothing else.
    #[arg(long, hide = true)]
    serve_empty: Option<SocketAddr>,
}

/// Figures that are measured together.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Group {
    /// The executor in this process, against the append function, COPY and plain transactions
    Commands,
    /// Memory and CPU of the processes at rest, CPU of Postgres meanwhile, and memory of clients of live updates
    Memory,
    /// Commands over HTTP while everything runs, how far read models lag meanwhile, and two command APIs on one auction
    Http,
    /// The time from a command until a query shows it, also while one of many read models is slow or fails
    Visible,
    /// Reads of one document over HTTP, against an empty handler
    Reads,
    /// Live updates of one auction to very many clients
    Live,
    /// Lists and searches among very many auctions
    Lists,
    /// Building read models from the log, one alone and all at once, against COPY
    Rebuild,
    /// Queries while every read model is rebuilt, against queries before
    Rebuilding,
    /// Appending to a long log, against a short one
    Growth,
    /// Commands while millions of idempotency records are removed, against commands alone
    Expiry,
    /// Very many tasks, of which many are due in the same second
    Tasks,
}

/// How much is measured.
struct Scale {
    /// For how long each figure is measured, after a warm-up of a quarter of it.
    duration: Duration,
    /// Events of the log that a read model is built from.
    rebuild_events: i64,
    /// Events of the log from which all read models are rebuilt while everything runs.
    rebuilding_events: i64,
    /// Events of the long log.
    long_log_events: i64,
    /// Idempotency records that have expired.
    expired_records: i64,
    /// Clients of live updates.
    live_updates: usize,
    /// Auctions among which lists are read.
    listed_auctions: i64,
    /// Tasks that run by schedules.
    tasks: i64,
    /// Those of them that are due in the same second.
    due_tasks: i64,
}

const FULL: Scale = Scale {
    duration: Duration::from_secs(15),
    rebuild_events: 2_000_000,
    rebuilding_events: 300_000,
    long_log_events: 10_000_000,
    expired_records: 5_000_000,
    live_updates: 10_000,
    listed_auctions: 1_000_000,
    tasks: 100_000,
    due_tasks: 1_000,
};
const QUICK: Scale = Scale {
    duration: Duration::from_secs(3),
    rebuild_events: 200_000,
    rebuilding_events: 30_000,
    long_log_events: 1_000_000,
    expired_records: 500_000,
    live_updates: 2_000,
    listed_auctions: 100_000,
    tasks: 10_000,
    due_tasks: 100,
};

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    if let Some(address) = arguments.serve_empty {
        return reads::serve_empty_handler(address).await;
    }
    let groups = match &arguments.only[..] {
        [] => Group::value_variants(),
        only => only,
    };
    let environment = Environment::measure(arguments.quick).await;
    let scale = if arguments.quick { QUICK } else { FULL };
    let table = measure(groups, &scale, environment.fdatasync_per_second).await;
    println!("{environment}\n{table}");
    println!("{} figures miss their targets.", table.misses());
    let text = json!({"environment": environment, "figures": table});
    write(&arguments.json, &format!("{text:#}\n"));
}

async fn measure(groups: &[Group], scale: &Scale, fdatasync_per_second: f64) -> Table {
    let progress = Progress::new(groups.iter().map(|group| group.steps()).sum());
    let mut table = Table::default();
    if groups.contains(&Group::Commands) {
        let market = Arc::new(in_process::Market::create().await);
        let parameters = (scale.duration, fdatasync_per_second);
        commands::measure(&market, parameters, &progress, &mut table).await;
    }
    if groups.iter().any(|group| group.needs_deployment()) {
        measure_deployment(groups, scale, &progress, &mut table).await;
    }
    if groups.contains(&Group::Lists) {
        lists::measure(scale.listed_auctions, scale.duration, &progress, &mut table).await;
    }
    if groups.contains(&Group::Rebuild) {
        rebuild::measure(scale.rebuild_events, &progress, &mut table).await;
    }
    if groups.contains(&Group::Rebuilding) {
        let events = scale.rebuilding_events;
        rebuilding::measure(events, scale.duration, &progress, &mut table).await;
    }
    if groups.contains(&Group::Growth) {
        let events = scale.long_log_events;
        growth::measure(events, scale.duration, &progress, &mut table).await;
    }
    if groups.contains(&Group::Expiry) {
        let records = scale.expired_records;
        expiry::measure(records, scale.duration, &progress, &mut table).await;
    }
    if groups.contains(&Group::Tasks) {
        tasks::measure(scale.tasks, scale.due_tasks, &progress, &mut table).await;
    }
    progress.end();
    table
}

/// Measures what needs the real processes.
async fn measure_deployment(
    groups: &[Group],
    scale: &Scale,
    progress: &Progress,
    table: &mut Table,
) {
    let deployment = Deployment::start().await;
    if groups.contains(&Group::Memory) {
        memory::measure_at_rest(&deployment, scale.duration, progress, table).await;
    }
    let market = over_http::Market::open(&deployment).await;
    let both = (&deployment, &market);
    if groups.contains(&Group::Memory) {
        let (auctions, clients) = (&market.auctions, scale.live_updates);
        memory::measure_live_updates(&deployment, auctions, clients, progress, table).await;
    }
    if groups.contains(&Group::Http) {
        http::measure_commands(both, scale.duration, progress, table).await;
        http::measure_two_command_apis(both, scale.duration, progress, table).await;
    }
    if groups.contains(&Group::Visible) {
        visible::measure(both, scale.duration, progress, table).await;
    }
    if groups.contains(&Group::Reads) {
        reads::measure(both, scale.duration, progress, table).await;
    }
    if groups.contains(&Group::Live) {
        live::measure(&deployment, scale.duration, progress, table).await;
    }
}

impl Group {
    fn steps(self) -> u64 {
        match self {
            Self::Commands => commands::STEPS,
            Self::Memory => memory::STEPS_AT_REST + memory::STEPS_OF_LIVE_UPDATES,
            Self::Http => http::STEPS_OF_COMMANDS + http::STEPS_OF_TWO_COMMAND_APIS,
            Self::Visible => visible::STEPS,
            Self::Reads => reads::STEPS,
            Self::Live => live::STEPS,
            Self::Lists => lists::STEPS,
            Self::Rebuild => rebuild::STEPS,
            Self::Rebuilding => rebuilding::STEPS,
            Self::Growth => growth::STEPS,
            Self::Expiry => expiry::STEPS,
            Self::Tasks => tasks::STEPS,
        }
    }

    /// Whether it is measured on the real processes.
    fn needs_deployment(self) -> bool {
        match self {
            Self::Memory | Self::Http | Self::Visible | Self::Reads | Self::Live => true,
            Self::Commands
            | Self::Lists
            | Self::Rebuild
            | Self::Rebuilding
            | Self::Growth
            | Self::Expiry
            | Self::Tasks => false,
        }
    }
}

fn write(file: &Path, text: &str) {
    if let Some(directory) = file.parent() {
        std::fs::create_dir_all(directory).unwrap();
    }
    std::fs::write(file, text).unwrap();
}
