//! What the figures were measured on. Nothing is measured where Postgres could lose what it
//! acknowledged.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Write;
use std::process::Command;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use serde::Serialize;
use sqlx::{Connection, PgConnection};
use tidemark_tests::from_environment;

/// For how long the disk is measured.
const DISK_TIME: Duration = Duration::from_secs(2);
/// What is written before each call of `fdatasync`: a page of the write-ahead log.
const PAGE: [u8; 8192] = [7; 8192];
/// Settings of Postgres that must not be off.
const DURABLE: [&str; 3] = ["fsync", "synchronous_commit", "full_page_writes"];
/// Other settings of Postgres that are shown beside the table.
const OTHERS: [&str; 9] = [
    "wal_sync_method",
    "wal_level",
    "wal_compression",
    "max_wal_size",
    "min_wal_size",
    "checkpoint_timeout",
    "shared_buffers",
    "backend_flush_after",
    "server_version",
];

/// The machine, the database and the code.
#[derive(Serialize)]
pub(crate) struct Environment {
    cores: usize,
    processor: String,
    memory_mib: u64,
    postgres: BTreeMap<&'static str, String>,
    /// How many times per second a page can be written and flushed by `fdatasync`.
    pub(crate) fdatasync_per_second: f64,
    commit: String,
    quick: bool,
}

impl Environment {
    /// Looks at all of it, and measures the disk.
    ///
    /// # Panics
    /// If Postgres could lose what it acknowledged: such figures would say nothing.
    pub(crate) async fn measure(quick: bool) -> Self {
        let postgres = settings().await;
        for name in DURABLE {
            assert!(
                postgres[name] != "off",
                "Postgres runs with {name} = off: figures without durable settings say nothing"
            );
        }
        let disk = tokio::task::spawn_blocking(fdatasync_per_second);
        Self {
            cores: available_parallelism().unwrap().get(),
            processor: line_of("/proc/cpuinfo", "model name"),
            memory_mib: kib_of("/proc/meminfo", "MemTotal") / 1024,
            postgres,
            fdatasync_per_second: disk.await.unwrap(),
            commit: commit(),
            quick,
        }
    }
}

async fn settings() -> BTreeMap<&'static str, String> {
    let url = from_environment("TIDEMARK_TEST_DATABASE_URL");
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let mut settings = BTreeMap::new();
    for name in DURABLE.into_iter().chain(OTHERS) {
        let value = sqlx::query_scalar("select current_setting($1)").bind(name);
        settings.insert(name, value.fetch_one(&mut connection).await.unwrap());
    }
    settings
}

/// Measures the file system of the working directory, which is also that of a Postgres that `./dev`
/// runs.
fn fdatasync_per_second() -> f64 {
    let path = format!(".bench-{}", std::process::id());
    let mut file = File::create(&path).unwrap();
    let (started, mut calls) = (Instant::now(), 0);
    while started.elapsed() < DISK_TIME {
        file.write_all(&PAGE).unwrap();
        file.sync_data().unwrap();
        calls += 1;
    }
    let per_second = f64::from(calls) / started.elapsed().as_secs_f64();
    std::fs::remove_file(path).unwrap();
    per_second
}

fn commit() -> String {
    let arguments = ["describe", "--always", "--dirty", "--abbrev=12"];
    let output = Command::new("git").args(arguments).output();
    let text = output.map_or(String::new(), |output| {
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    });
    if text.is_empty() {
        "unknown".to_owned()
    } else {
        text
    }
}

/// A value in KiB of a file in `/proc`.
fn kib_of(file: &str, name: &str) -> u64 {
    let value = line_of(file, name);
    value.trim_end_matches(" kB").parse().unwrap()
}

fn line_of(file: &str, name: &str) -> String {
    let text = std::fs::read_to_string(file).unwrap();
    let line = text.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found.trim() == name).then(|| value.trim().to_owned())
    });
    line.unwrap_or_default()
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cores,
            processor,
            memory_mib,
            fdatasync_per_second,
            commit,
            ..
        } = self;
        let length = if self.quick {
            "quick: a first look"
        } else {
            "in full"
        };
        writeln!(f, "Commit {commit}, {length}.")?;
        writeln!(
            f,
            "{cores} cores ({processor}), {memory_mib} MiB of memory."
        )?;
        writeln!(f, "Disk: {fdatasync_per_second:.0} fdatasync/s.")?;
        let settings: Vec<_> = self
            .postgres
            .iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        writeln!(f, "Postgres: {}.", settings.join(", "))
    }
}
