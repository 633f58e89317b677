//! Postgres fails over to a synchronous replica, and back.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use sqlx::{Connection, Executor, PgConnection};
use tidemark_tests::Proxy;
use tokio::time::timeout;

use super::{Fault, Injection, Outcome};
use crate::ports;
use crate::servers::{postgres, run_command};
use crate::stack::Stack;
use crate::supervisor::{Signal, Supervised, Supervisor};
use crate::wait::wait_until;

pub(super) const FAULTS: &[Fault] = &[Fault::new(
    "fail-over-postgres",
    "Postgres fails over to a synchronous replica",
    3,
    |i| fail_over(i).boxed(),
)];

/// Commands that are accepted before the primary dies.
const COMMANDS_BEFORE: u64 = 300;
/// Commands that are accepted by the replica.
const COMMANDS_AFTER: u64 = 300;
/// For how long a write to the old primary is tried.
const FENCE_TIMEOUT: Duration = Duration::from_secs(2);

async fn fail_over(injection: Injection) -> Outcome {
    let stack = &injection.stack;
    let primary = &stack.postgres;
    let proxy = connect_through_proxy(stack).await;
    let supervisor = Supervisor::new();
    let replica = Replica::start(stack, &supervisor).await;
    let mut admin = connect(primary.port).await;
    let wait_for_replica = "alter system set synchronous_standby_names = '*'";
    admin.execute(wait_for_replica).await.unwrap();
    admin.execute("select pg_reload_conf()").await.unwrap();
    wait_until("the replica is synchronous", || {
        replica.is_synchronous(stack)
    })
    .await;
    injection.load.wait_for_commands(COMMANDS_BEFORE).await;

    let died_at = Instant::now();
    primary.process.end();
    replica.promote().await;
    proxy.move_to(&address(replica.port));
    proxy.cut();
    injection.wait_for_service().await;
    let recovered = died_at.elapsed();
    assert_old_primary_is_fenced(stack).await;
    injection.load.wait_for_commands(COMMANDS_AFTER).await;

    // The primary gets all that the replica has, so that the next fault finds the stack as usual.
    replica.process.hold();
    replica.process.signal(Signal::Interrupt);
    wait_until("the replica has ended", || async {
        replica.process.pid().is_none()
    })
    .await;
    let (from, to) = (replica.data.clone(), primary.data.clone());
    tokio::task::spawn_blocking(move || replace(&from, &to))
        .await
        .unwrap();
    primary.process.release();
    wait_until("Postgres is ready again", || primary.is_ready()).await;
    proxy.move_to(&address(primary.port));
    proxy.cut();
    injection.wait_for_service().await;
    Outcome::Recovered(recovered)
}

/// Restarts all running processes so that they reach Postgres through a proxy.
async fn connect_through_proxy(stack: &Stack) -> Proxy {
    let port = stack.postgres.port;
    let proxy = Proxy::start("127.0.0.1:0", &address(port)).await.unwrap();
    let proxy_port = proxy.address().port();
    let processes = stack.processes();
    for process in processes.filter(|process| !process.supervised.is_held()) {
        process
            .restart_with(|program| {
                for url in program.environment.values_mut() {
                    *url = url.replace(&format!(":{port}/"), &format!(":{proxy_port}/"));
                }
            })
            .await;
    }
    proxy
}

/// Starts the old primary again, which must acknowledge nothing because it waits for a replica.
async fn assert_old_primary_is_fenced(stack: &Stack) {
    let primary = &stack.postgres;
    primary.process.release();
    wait_until("the old primary is ready", || primary.is_ready()).await;
    let mut connection = connect(primary.port).await;
    let write = "create table only_on_the_old_primary ()";
    let written = timeout(FENCE_TIMEOUT, connection.execute(write)).await;
    assert!(
        written.is_err(),
        "the old primary acknowledged a write: {written:?}"
    );
    primary.process.end();
}

/// A second server, which follows the first.
struct Replica {
    process: Arc<Supervised>,
    port: u16,
    data: PathBuf,
}

impl Replica {
    async fn start(stack: &Stack, supervisor: &Supervisor) -> Self {
        let port = ports::free();
        let home = stack.postgres.data.parent().unwrap();
        let data = home.join(format!("replica-{port}"));
        let primary = stack.postgres.url("postgres");
        let pg_basebackup = stack.paths.postgres_bin.join("pg_basebackup");
        let mut copy = postgres::as_server_user(&pg_basebackup);
        copy.args([
            "--wal-method=stream",
            "--checkpoint=fast",
            "--write-recovery-conf",
        ])
        .arg(format!("--pgdata={}", data.display()))
        .arg(format!("--dbname={primary}"))
        .current_dir("/");
        tokio::task::spawn_blocking(move || run_command(&mut copy))
            .await
            .unwrap();
        let mut program = stack.postgres.process.program();
        for argument in &mut program.command {
            let old = stack.postgres.data.display().to_string();
            *argument = argument.replace(&old, &data.display().to_string());
            if *argument == format!("port={}", stack.postgres.port) {
                *argument = format!("port={port}");
            }
        }
        program.data_lock = Some(postgres::lock_of(&data));
        let process = supervisor.add("replica", &stack.directory, program, false);
        Self {
            process,
            port,
            data,
        }
    }

    async fn is_synchronous(&self, stack: &Stack) -> bool {
        let replicas: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_replication where sync_state = 'sync'",
        )
        .fetch_one(&stack.pool)
        .await
        .unwrap_or_default();
        replicas == 1
    }

    async fn promote(&self) {
        let mut connection = connect(self.port).await;
        let promoted: bool = sqlx::query_scalar("select pg_promote()")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert!(promoted, "the replica was not promoted");
    }
}

fn address(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

async fn connect(port: u16) -> PgConnection {
    let url = postgres::url("postgres", port, "tidemark");
    PgConnection::connect(&url).await.unwrap()
}

/// Moves a data directory to where another one was.
fn replace(from: &Path, to: &Path) {
    fs::remove_dir_all(to).unwrap();
    run_command(Command::new("cp").arg("-a").arg(from).arg(to));
    fs::remove_dir_all(from).unwrap();
}
