//! The servers, each of its own: a process under supervision, with its data in a directory of the run.

pub(crate) mod kafka;
pub(crate) mod postgres;
pub(crate) mod redis;

use std::path::PathBuf;
use std::process::Command;

pub(crate) use kafka::Kafka;
pub(crate) use postgres::Postgres;
pub(crate) use redis::Redis;

/// Where the machine has what the servers are made of; `./dev chaos` says so.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    /// `initdb`, `postgres`.
    pub(crate) postgres_bin: PathBuf,
    /// The broker's jars.
    pub(crate) kafka_libs: PathBuf,
    /// `deploy/`, with the configuration that `./dev` uses too.
    pub(crate) deploy: PathBuf,
    /// The binaries of Tidemark.
    pub(crate) binaries: PathBuf,
}

/// How a server shall differ from the ordinary.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// The directory below which its data lies, if not in the run's: a slow disk, a small one.
    pub(crate) home: Option<PathBuf>,
    /// What stands before its command.
    pub(crate) wrapper: Vec<String>,
    /// More settings, in the words of the server's own configuration.
    pub(crate) settings: Vec<(String, String)>,
}

/// Runs a command to its end, which must be a good one.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}{errors}");
    text
}
