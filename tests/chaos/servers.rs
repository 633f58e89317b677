//! Postgres, Redis, Kafka, a mail server, an object store and servers that tasks call, of the run's own: each a process under supervision, with
//! the same configuration that `./dev` uses, and its data in a directory of the run.

pub(crate) mod kafka;
pub(crate) mod mail;
pub(crate) mod object_store;
pub(crate) mod postgres;
pub(crate) mod receiver;
pub(crate) mod redis;

use std::path::PathBuf;
use std::process::Command;

pub(crate) use kafka::Kafka;
pub(crate) use mail::Mail;
pub(crate) use object_store::ObjectStore;
pub(crate) use postgres::Postgres;
pub(crate) use receiver::Receiver;
pub(crate) use redis::Redis;

/// Where programs and configuration are on this machine; `./dev chaos` passes it.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    /// The directory of `initdb`, `postgres` and `psql`.
    pub(crate) postgres_bin: PathBuf,
    /// The directory of Kafka's jars.
    pub(crate) kafka_libs: PathBuf,
    /// The directory `deploy/` of the repository.
    pub(crate) deploy: PathBuf,
    /// The directory of Tidemark's binaries.
    pub(crate) binaries: PathBuf,
}

/// How a server differs from an ordinary one.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServerOptions {
    /// The directory below which its data lies, if not the run's: on a disk that can fail, say.
    pub(crate) data_home: Option<PathBuf>,
    /// What stands before its command.
    pub(crate) wrapper: Vec<String>,
    /// More settings, named as in the server's own configuration.
    pub(crate) settings: Vec<(String, String)>,
}

/// Runs a command to its end and returns what it printed.
///
/// # Panics
/// If the command fails.
pub(crate) fn run_command(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}{errors}");
    text
}
