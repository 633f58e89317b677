//! The processes of the Postgres server: all of them, so also those that serve other databases.

use std::fs::read_to_string;
use std::time::Duration;

use sqlx::PgPool;
use tidemark_tests::process::cpu_time;

/// The unit in which Linux tells the CPU time of processes that have ended: a hundredth of a second.
const TICK: Duration = Duration::from_millis(10);

/// A server whose processes this one can see.
pub(crate) struct PostgresServer {
    /// Its first process, of which all others are children.
    postmaster: u32,
}

impl PostgresServer {
    /// Finds the server that answers this pool; none if it runs on another machine, or in a container, where processes
    /// have numbers of their own.
    pub(crate) async fn find(pool: &PgPool) -> Option<Self> {
        let backend: i32 = sqlx::query_scalar("select pg_backend_pid()")
            .fetch_one(pool)
            .await
            .unwrap();
        let backend = Stat::read(backend.try_into().unwrap())?;
        (backend.name == "postgres").then_some(Self {
            postmaster: backend.parent,
        })
    }

    /// The CPU time that its processes have taken, with those that have ended.
    pub(crate) fn cpu_time(&self) -> Duration {
        let ended = Stat::read(self.postmaster).unwrap().of_ended_children;
        let running = self.children().chain([self.postmaster]);
        ended + running.map(cpu_time).sum::<Duration>()
    }

    fn children(&self) -> impl Iterator<Item = u32> {
        let postmaster = self.postmaster;
        let processes = std::fs::read_dir("/proc").unwrap();
        let ids = processes.filter_map(|it| it.ok()?.file_name().to_str()?.parse().ok());
        ids.filter(move |id| Stat::read(*id).is_some_and(|it| it.parent == postmaster))
    }
}

/// What `/proc/<pid>/stat` says of a process.
struct Stat {
    name: String,
    parent: u32,
    /// The CPU time of its children that have ended.
    of_ended_children: Duration,
}

impl Stat {
    /// Reads it; none if there is no such process.
    fn read(process: u32) -> Option<Self> {
        let text = read_to_string(format!("/proc/{process}/stat")).ok()?;
        // The name stands in parentheses, and may have some itself.
        let (start, rest) = text.rsplit_once(')')?;
        let fields: Vec<_> = rest.split_whitespace().collect();
        let ticks = |field: usize| fields[field].parse::<u32>().unwrap();
        Some(Self {
            name: start.split_once('(')?.1.to_owned(),
            parent: fields[1].parse().unwrap(),
            of_ended_children: TICK * (ticks(13) + ticks(14)),
        })
    }
}
