//! Chaos: real processes on real servers under load, killed, paused, cut off and lied to, from a
//! seed that is printed. Then the stores are read directly, and what was promised is counted.
#![expect(clippy::print_stdout, reason = "the tables are what this is for")]
#![expect(
    clippy::unwrap_used,
    reason = "a harness that cannot go on fails where it stands"
)]

mod faults;
mod journal;
mod load;
mod ports;
mod servers;
mod stack;
mod supervisor;

use std::path::PathBuf;

use clap::Parser;

use servers::Machine;

/// Injects faults into a running Tidemark, and counts what it promised and did not keep.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// What everything follows from; another one each time unless given.
    #[arg(long)]
    seed: Option<u64>,
    /// Which faults, by the ids of the table; all unless given.
    #[arg(long, value_delimiter = ',')]
    faults: Vec<String>,
    /// Stop after so long, however much is left to do.
    #[arg(long)]
    minutes: Option<u64>,
    /// Where the runs are, one directory a seed.
    #[arg(long, default_value = ".dev/chaos")]
    directory: PathBuf,
    /// Where `initdb` and `postgres` are.
    #[arg(long)]
    postgres_bin: PathBuf,
    /// Where Kafka's jars are.
    #[arg(long)]
    kafka_libs: PathBuf,
    /// Where the configuration of the servers is.
    #[arg(long, default_value = "deploy")]
    deploy: PathBuf,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let machine = Machine {
        postgres_bin: arguments.postgres_bin,
        kafka_libs: arguments.kafka_libs,
        deploy: arguments.deploy,
        binaries: std::env::current_exe().unwrap().parent().unwrap().into(),
    };
    let directory = arguments.directory.join("0");
    let stack = stack::Stack::start(&machine, &directory, faults::ordinary()).await;
    println!("{:?}", stack.servers());
}
