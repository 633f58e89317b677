//! A `PostgreSQL` cluster of its own, with the configuration that `./dev` uses.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use sqlx::{Connection, PgConnection};

use super::{Machine, Options, run};
use crate::ports;
use crate::supervisor::{Program, Supervised, Supervisor};

/// On loopback, of a cluster that lives for minutes.
const PASSWORD: &str = "chaos";

/// A server; killing it kills its backends too.
#[derive(Debug)]
pub(crate) struct Postgres {
    /// The postmaster.
    pub(crate) process: Arc<Supervised>,
    /// Where it listens.
    pub(crate) port: u16,
    /// The cluster's files.
    pub(crate) data: PathBuf,
}

impl Postgres {
    /// Makes a cluster and starts its server. Ready soon, see [`Self::is_ready`].
    pub(crate) fn start(
        supervisor: &Supervisor,
        name: &str,
        machine: &Machine,
        run_directory: &Path,
        options: &Options,
    ) -> Self {
        let home = options.home.as_deref().unwrap_or(run_directory).join(name);
        let data = home.join("data");
        if !data.exists() {
            init(machine, &home, &data);
        }
        let port = ports::free();
        let process = supervisor.add(
            name,
            run_directory,
            program(machine, &data, port, options),
            false,
        );
        Self {
            process,
            port,
            data,
        }
    }

    /// As a role (`tidemark_append`, or `postgres`, who may do everything).
    pub(crate) fn url(&self, role: &str) -> String {
        url(role, self.port, "tidemark")
    }

    /// Whether it takes connections.
    pub(crate) async fn is_ready(&self) -> bool {
        let url = url("postgres", self.port, "postgres");
        let Ok(connection) = PgConnection::connect(&url).await else {
            return false;
        };
        connection.close().await.is_ok()
    }

    /// Makes the roles and the database, as `./dev` does. Once, when it is ready.
    pub(crate) fn make_roles(&self, machine: &Machine) {
        let mut psql = Command::new(machine.postgres_bin.join("psql"));
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1"])
            .arg(url("postgres", self.port, "postgres"))
            .arg("-f")
            .arg(machine.deploy.join("postgres/roles.sql"))
            .env("POSTGRES_PASSWORD", PASSWORD);
        for role in ["OWNER", "APPEND", "RELAY", "PROJECT", "READ"] {
            psql.env(format!("TIDEMARK_{role}_PASSWORD"), PASSWORD);
        }
        run(&mut psql);
    }
}

/// The server refuses to run as root: then it runs as the user that its package made.
fn user() -> Option<&'static str> {
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
    root.then_some("postgres")
}

/// The URL of a database on a server of ours.
pub(crate) fn url(role: &str, port: u16, database: &str) -> String {
    format!("postgres://{role}:{PASSWORD}@127.0.0.1:{port}/{database}")
}

/// A command that is run as whoever runs the server.
pub(crate) fn as_server(binary: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if let Some(user) = user() {
        let (user, group) = (format!("--reuid={user}"), format!("--regid={user}"));
        command.args([&*user, &*group, "--init-groups"]);
    }
    command.arg(binary);
    command
}

fn init(machine: &Machine, home: &Path, data: &Path) {
    fs::create_dir_all(home).unwrap();
    let password = home.join("password");
    fs::write(&password, PASSWORD).unwrap();
    if let Some(user) = user() {
        run(Command::new("chown").arg("-R").arg(user).arg(home));
    }
    let mut command = as_server(&machine.postgres_bin.join("initdb"));
    command
        .args(["--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8"])
        .args(["--data-checksums", "--auth=scram-sha-256"])
        .arg(format!("--pwfile={}", password.display()))
        .arg(format!("--pgdata={}", data.display()))
        .current_dir("/");
    run(&mut command);
    fs::copy(
        machine.deploy.join("postgres/postgresql.conf"),
        data.join("tidemark.conf"),
    )
    .unwrap();
    if let Some(user) = user() {
        run(Command::new("chown")
            .arg(user)
            .arg(data.join("tidemark.conf")));
    }
}

fn program(machine: &Machine, data: &Path, port: u16, options: &Options) -> Program {
    let mut command = vec![
        machine.postgres_bin.join("postgres").display().to_string(),
        "-D".to_owned(),
        data.display().to_string(),
    ];
    let fixed = [
        (
            "config_file",
            data.join("tidemark.conf").display().to_string(),
        ),
        ("listen_addresses", "127.0.0.1".to_owned()),
        ("port", port.to_string()),
        ("unix_socket_directories", String::new()),
    ];
    let fixed = fixed.map(|(name, value)| (name.to_owned(), value));
    for (name, value) in fixed.iter().chain(&options.settings) {
        command.extend(["-c".to_owned(), format!("{name}={value}")]);
    }
    Program {
        wrapper: options.wrapper.clone(),
        command,
        user: user(),
        cluster: Some(data.to_owned()),
        ..Program::default()
    }
}

/// The lock file of a server that was killed may by now name another process, and keep the next one
/// from starting: it goes, but never before the last backend has gone. Whether that is so.
pub(crate) fn clear(data: &Path) -> bool {
    // Each process of a cluster has its data directory as its working directory.
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let mut homes = processes.filter_map(|entry| fs::read_link(entry.path().join("cwd")).ok());
    let gone = !homes.any(|home| home == data);
    if gone {
        let _ = fs::remove_file(data.join("postmaster.pid"));
    }
    gone
}
