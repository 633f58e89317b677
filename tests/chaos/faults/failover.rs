//! Postgres fails over to a synchronous replica, and back.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use futures::FutureExt;
use sqlx::{Connection, Executor, PgConnection};
use tidemark_tests::Proxy;
use tokio::time::timeout;

use super::network::back;
use super::{Episode, Fault, Outcome, Topics, ordinary};
use crate::servers::{postgres, run};
use crate::stack::{Stack, until};
use crate::supervisor::{Signal, Supervised, Supervisor};

/// The faults of this kind.
pub(crate) const FAULTS: &[Fault] = &[Fault {
    id: "f36",
    title: "Postgres fails over to a synchronous replica",
    full: 3,
    layout: ordinary,
    topics: Topics::Exact,
    inject: |episode| fail_over(episode).boxed(),
}];

/// Commands before the primary dies.
const BEFORE: u64 = 300;
/// Commands on the replica.
const AFTER: u64 = 300;
/// How long it is tried to write to the primary that is no more.
const FENCED: Duration = Duration::from_secs(2);

async fn fail_over(episode: Episode) -> Outcome {
    let stack = &episode.stack;
    let primary = &stack.postgres;
    let proxy = Proxy::start("127.0.0.1:0", &address(primary.port))
        .await
        .unwrap();
    let port = proxy.address().port();
    for process in stack
        .processes()
        .filter(|process| !process.process.is_held())
    {
        process
            .restart_with(|program| {
                for url in program.environment.values_mut() {
                    *url = url.replace(&format!(":{}/", primary.port), &format!(":{port}/"));
                }
            })
            .await;
    }
    let supervisor = Supervisor::new();
    let replica = Replica::start(stack, &supervisor).await;
    let everything = "alter system set synchronous_standby_names = '*'";
    let mut admin = connect(primary.port).await;
    admin.execute(everything).await.unwrap();
    admin.execute("select pg_reload_conf()").await.unwrap();
    until("a synchronous replica", || replica.is_synchronous(stack)).await;
    episode.load.accepted(BEFORE).await;

    let died = Instant::now();
    primary.process.end();
    replica.promote().await;
    proxy.move_to(&address(replica.port));
    proxy.cut();
    back(&episode).await;
    let recovered = died.elapsed();
    is_fenced(stack).await;
    episode.load.accepted(AFTER).await;

    // Back to where the others look for it, with all that happened meanwhile.
    replica.process.hold();
    replica.process.signal(Signal::Interrupt);
    until("the replica to end", || async {
        replica.process.pid().is_none()
    })
    .await;
    let (from, to) = (replica.data.clone(), primary.data.clone());
    tokio::task::spawn_blocking(move || replace(&from, &to))
        .await
        .unwrap();
    primary.process.release();
    until("Postgres", || primary.is_ready()).await;
    proxy.move_to(&address(primary.port));
    proxy.cut();
    back(&episode).await;
    Outcome::Recovered(recovered)
}

/// The old primary runs again, and yet acknowledges nothing: it waits for a replica.
async fn is_fenced(stack: &Stack) {
    let primary = &stack.postgres;
    primary.process.release();
    until("the old primary", || primary.is_ready()).await;
    let mut connection = connect(primary.port).await;
    let write = "create table only_on_the_old_primary ()";
    let written = timeout(FENCED, connection.execute(write)).await;
    assert!(
        written.is_err(),
        "the old primary acknowledged: {written:?}"
    );
    primary.process.end();
}

/// A second server, which follows the first.
struct Replica {
    process: std::sync::Arc<Supervised>,
    port: u16,
    data: std::path::PathBuf,
}

impl Replica {
    async fn start(stack: &Stack, supervisor: &Supervisor) -> Self {
        let port = crate::ports::free();
        let home = stack.postgres.data.parent().unwrap();
        let data = home.join(format!("replica-{port}"));
        let primary = stack.postgres.url("postgres");
        let bin = stack.machine.postgres_bin.join("pg_basebackup");
        let mut copy = postgres::as_server(&bin);
        copy.args([
            "--wal-method=stream",
            "--checkpoint=fast",
            "--write-recovery-conf",
        ])
        .arg(format!("--pgdata={}", data.display()))
        .arg(format!("--dbname={primary}"))
        .current_dir("/");
        tokio::task::spawn_blocking(move || run(&mut copy))
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
        program.cluster = Some(data.clone());
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

/// Puts one cluster where another was.
fn replace(from: &Path, to: &Path) {
    fs::remove_dir_all(to).unwrap();
    run(Command::new("cp").arg("-a").arg(from).arg(to));
    fs::remove_dir_all(from).unwrap();
}
