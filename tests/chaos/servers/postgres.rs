//! A `PostgreSQL` cluster with the configuration that `./dev` uses.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use sqlx::{Connection, PgConnection};

use super::{Paths, ServerOptions, run_command};
use crate::ports;
use crate::supervisor::{DataLock, Program, Supervised, Supervisor};

/// The password of every role. The cluster listens on loopback only, and lives for minutes.
const PASSWORD: &str = "chaos";

/// A Postgres server.
#[derive(Debug)]
pub(crate) struct Postgres {
    /// The postmaster. Killing it kills its backends too.
    pub(crate) process: Arc<Supervised>,
    /// The port on 127.0.0.1 that it listens at.
    pub(crate) port: u16,
    /// The data directory of the cluster.
    pub(crate) data: PathBuf,
}

impl Postgres {
    /// Makes a cluster and starts its server. It is ready some time later, see [`Self::is_ready`].
    pub(crate) fn start(
        supervisor: &Supervisor,
        name: &str,
        paths: &Paths,
        run_directory: &Path,
        options: &ServerOptions,
    ) -> Self {
        let home = options.data_home.as_deref().unwrap_or(run_directory);
        let home = home.join(name);
        let data = home.join("data");
        if !data.exists() {
            init_cluster(paths, &home, &data);
        }
        let port = ports::keep();
        let program = program(paths, &data, port, options);
        let process = supervisor.add(name, run_directory, program, false);
        Self {
            process,
            port,
            data,
        }
    }

    /// The database's URL for a role: `tidemark_append`, say, or the superuser `postgres`.
    pub(crate) fn url(&self, role: &str) -> String {
        url(role, self.port, "tidemark")
    }

    /// Whether the server takes connections.
    pub(crate) async fn is_ready(&self) -> bool {
        let url = url("postgres", self.port, "postgres");
        let Ok(connection) = PgConnection::connect(&url).await else {
            return false;
        };
        connection.close().await.is_ok()
    }

    /// Makes the roles and the database, as `./dev` does. To be called once, when the server is
    /// ready.
    pub(crate) fn make_roles(&self, paths: &Paths) {
        let mut psql = Command::new(paths.postgres_bin.join("psql"));
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1"])
            .arg(url("postgres", self.port, "postgres"))
            .arg("-f")
            .arg(paths.deploy.join("postgres/roles.sql"))
            .env("POSTGRES_PASSWORD", PASSWORD);
        for role in ["OWNER", "APPEND", "RELAY", "PROJECT", "READ"] {
            psql.env(format!("TIDEMARK_{role}_PASSWORD"), PASSWORD);
        }
        run_command(&mut psql);
    }
}

/// The user that the server runs as. It refuses to run as root; then it runs as the user that its
/// package made.
fn user() -> Option<&'static str> {
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    is_root.then_some("postgres")
}

/// The URL of a database of a server on this machine.
pub(crate) fn url(role: &str, port: u16, database: &str) -> String {
    format!("postgres://{role}:{PASSWORD}@127.0.0.1:{port}/{database}")
}

/// A command that runs as the same user as the server.
pub(crate) fn as_server_user(binary: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if let Some(user) = user() {
        let (user, group) = (format!("--reuid={user}"), format!("--regid={user}"));
        command.args([&*user, &*group, "--init-groups"]);
    }
    command.arg(binary);
    command
}

fn init_cluster(paths: &Paths, home: &Path, data: &Path) {
    fs::create_dir_all(home).unwrap();
    let password_file = home.join("password");
    fs::write(&password_file, PASSWORD).unwrap();
    if let Some(user) = user() {
        run_command(Command::new("chown").arg("-R").arg(user).arg(home));
    }
    let mut command = as_server_user(&paths.postgres_bin.join("initdb"));
    command
        .args(["--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8"])
        .args(["--data-checksums", "--auth=scram-sha-256"])
        .arg(format!("--pwfile={}", password_file.display()))
        .arg(format!("--pgdata={}", data.display()))
        .current_dir("/");
    run_command(&mut command);
    let config = data.join("tidemark.conf");
    fs::copy(paths.deploy.join("postgres/postgresql.conf"), &config).unwrap();
    if let Some(user) = user() {
        run_command(Command::new("chown").arg(user).arg(config));
    }
}

fn program(paths: &Paths, data: &Path, port: u16, options: &ServerOptions) -> Program {
    let config = data.join("tidemark.conf");
    let mut command = vec![
        paths.postgres_bin.join("postgres").display().to_string(),
        "-D".to_owned(),
        data.display().to_string(),
    ];
    let settings = [
        ("config_file", config.display().to_string()),
        ("listen_addresses", "127.0.0.1".to_owned()),
        ("port", port.to_string()),
        ("unix_socket_directories", String::new()),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value));
    for (name, value) in settings.iter().chain(&options.settings) {
        command.extend(["-c".to_owned(), format!("{name}={value}")]);
    }
    Program {
        wrapper: options.wrapper.clone(),
        command,
        user: user(),
        data_lock: Some(lock_of(data)),
        ..Program::default()
    }
}

/// The lock of a data directory. Every process of a server works in that directory.
pub(crate) fn lock_of(data: &Path) -> DataLock {
    DataLock {
        directory: data.to_owned(),
        file: "postmaster.pid",
    }
}
