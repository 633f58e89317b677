//! A second Postgres, which follows the first one and may take its place.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use sqlx::{Connection, PgConnection};
use tidemark_tests::Proxy;

use crate::ports;
use crate::servers::{postgres, run_command};
use crate::stack::Stack;
use crate::supervisor::{Signal, Supervised, Supervisor};
use crate::wait::wait_until;

/// A second server, which follows the first.
pub(super) struct Replica {
    process: Arc<Supervised>,
    pub(super) port: u16,
    data: PathBuf,
}

impl Replica {
    /// Copies the primary, and follows it through this port.
    pub(super) async fn start(stack: &Stack, supervisor: &Supervisor, primary_port: u16) -> Self {
        let port = ports::keep();
        let home = stack.postgres.data.parent().unwrap();
        let data = home.join(format!("replica-{port}"));
        let primary = postgres::url("postgres", primary_port, "tidemark");
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

    pub(super) async fn is_synchronous(&self, stack: &Stack) -> bool {
        let replicas: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_replication where sync_state = 'sync'",
        )
        .fetch_one(&stack.pool)
        .await
        .unwrap_or_default();
        replicas == 1
    }

    /// Waits until it has all that the primary has now.
    pub(super) async fn has_all(&self, stack: &Stack) {
        let written: String = sqlx::query_scalar("select pg_current_wal_lsn()::text")
            .fetch_one(&stack.pool)
            .await
            .unwrap();
        wait_until("the replica has all", || self.has(&written)).await;
    }

    async fn has(&self, written: &str) -> bool {
        let url = postgres::url("postgres", self.port, "tidemark");
        let Ok(mut connection) = PgConnection::connect(&url).await else {
            return false;
        };
        let has: Option<bool> = sqlx::query_scalar("select pg_last_wal_replay_lsn() >= $1::pg_lsn")
            .bind(written)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        has == Some(true)
    }

    pub(super) async fn promote(&self) {
        let mut connection = connect(self.port).await;
        let promoted: bool = sqlx::query_scalar("select pg_promote()")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert!(promoted, "the replica was not promoted");
    }

    /// Gives the primary all that the replica has, so that the next fault finds the stack as usual,
    /// and moves everybody there.
    pub(super) async fn hand_back(self, stack: &Stack, proxy: &Proxy) {
        let primary = &stack.postgres;
        self.process.hold();
        self.process.signal(Signal::Interrupt);
        wait_until("the replica has ended", || async {
            self.process.pid().is_none()
        })
        .await;
        let (from, to) = (self.data, primary.data.clone());
        tokio::task::spawn_blocking(move || replace(&from, &to))
            .await
            .unwrap();
        primary.process.release();
        wait_until("Postgres is ready again", || primary.is_ready()).await;
        proxy.move_to(&address(primary.port));
        proxy.cut();
    }
}

pub(super) fn address(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

pub(super) async fn connect(port: u16) -> PgConnection {
    let url = postgres::url("postgres", port, "tidemark");
    PgConnection::connect(&url).await.unwrap()
}

/// Moves a data directory to where another one was.
fn replace(from: &Path, to: &Path) {
    fs::remove_dir_all(to).unwrap();
    run_command(Command::new("cp").arg("-a").arg(from).arg(to));
    fs::remove_dir_all(from).unwrap();
}
