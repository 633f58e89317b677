//! A whole Tidemark for a round of faults: its own Postgres, Redis and Kafka, and the real binaries,
//! all under supervision, in a directory of the round.

mod process;

use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tidemark_tests::Settings;

use crate::ports;
use crate::servers::{Kafka, Machine, Options, Postgres, Redis};
use crate::supervisor::{Signal, Supervised, Supervisor};

pub(crate) use process::Process;
use process::{Kind, Starter, url};

/// Longer than anything takes to start, crash recovery included.
const START: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(20);
/// Everything is as in production but this.
const SETTINGS: [(&str, &str); 7] = [
    // The load logs in all the time, and is not about hashes.
    ("TIDEMARK_AUTH__ARGON2_MEMORY_KIB", "64"),
    ("TIDEMARK_AUTH__ARGON2_ITERATIONS", "1"),
    ("TIDEMARK_AUTH__HASH_QUEUE_MAX", "256"),
    ("TIDEMARK_KAFKA__PARTITIONS", "2"),
    ("TIDEMARK_PROJECTION__FEED", "kafka"),
    ("TIDEMARK_TELEMETRY__LOG", "info"),
    ("TIDEMARK_TELEMETRY__LOG_FORMAT", "text"),
];

/// What a round shall consist of, where that is not the ordinary.
#[derive(Default)]
pub(crate) struct Layout {
    pub(crate) postgres: Options,
    pub(crate) redis: Options,
    pub(crate) kafka: Options,
    /// More settings of our processes, `TIDEMARK_…`.
    pub(crate) settings: Vec<(String, String)>,
    /// What must outlive the servers, such as a mounted disk. Dropped after they have ended.
    pub(crate) foundations: Vec<Box<dyn Any + Send + Sync>>,
}

/// Everything, running. Dropped, it has ended.
pub(crate) struct Stack {
    /// Dropped first: it ends all processes.
    _supervisor: Supervisor,
    /// Where the data and logs of this round are.
    pub(crate) directory: PathBuf,
    pub(crate) machine: Machine,
    pub(crate) postgres: Postgres,
    pub(crate) redis: Redis,
    pub(crate) kafka: Kafka,
    /// `command-api --roles api`, two.
    pub(crate) apis: Vec<Process>,
    /// `command-api --roles relay`: one runs, the others are held until a fault releases them.
    pub(crate) relays: Vec<Process>,
    /// One runs, the other is held.
    pub(crate) projectors: Vec<Process>,
    /// Two.
    pub(crate) queries: Vec<Process>,
    /// What they are configured with.
    pub(crate) settings: Settings,
    /// As the superuser, for looking at everything.
    pub(crate) pool: PgPool,
    _foundations: Vec<Box<dyn Any + Send + Sync>>,
}

impl Stack {
    /// Starts everything; ready when this returns.
    pub(crate) async fn start(machine: &Machine, directory: &Path, layout: Layout) -> Self {
        std::fs::create_dir_all(directory).unwrap();
        let supervisor = Supervisor::new();
        let kafka = Kafka::start(&supervisor, machine, directory, &layout.kafka);
        let redis = Redis::start(&supervisor, directory, &layout.redis);
        let postgres = Postgres::start(
            &supervisor,
            "postgres",
            machine,
            directory,
            &layout.postgres,
        );
        until("Postgres", || postgres.is_ready()).await;
        postgres.make_roles(machine);
        let owner = PgPool::connect(&postgres.url("tidemark_owner")).await;
        let owner = owner.unwrap();
        tidemark_event_store::migrate(&owner).await.unwrap();
        owner.close().await;
        until("Redis", || redis.is_ready()).await;
        until("Kafka", || kafka.is_ready()).await;
        let mut settings = settings(&postgres, &redis, &kafka, &layout);
        let first_api = ports::free();
        settings.set("TIDEMARK_COMMAND_API__URL", url(first_api));
        let starter = Starter {
            supervisor: &supervisor,
            machine,
            logs: directory,
            settings: settings.clone(),
        };
        let stack = Self {
            apis: vec![
                starter.start_one(Kind::Api, 1, first_api, false),
                starter.start_one(Kind::Api, 2, ports::free(), false),
            ],
            relays: starter.start(Kind::Relay, 1, 3),
            projectors: starter.start(Kind::Projector, 1, 2),
            queries: starter.start(Kind::Query, 2, 2),
            pool: PgPoolOptions::new()
                .max_connections(4)
                .connect_lazy(&postgres.url("postgres"))
                .unwrap(),
            _supervisor: supervisor,
            directory: directory.to_owned(),
            machine: machine.clone(),
            postgres,
            redis,
            kafka,
            settings,
            _foundations: layout.foundations,
        };
        stack.heal().await;
        stack
    }

    /// Our processes.
    pub(crate) fn processes(&self) -> impl Iterator<Item = &Process> {
        [&self.apis, &self.relays, &self.projectors, &self.queries]
            .into_iter()
            .flatten()
    }

    /// The servers.
    pub(crate) fn servers(&self) -> [&Arc<Supervised>; 3] {
        [
            &self.postgres.process,
            &self.redis.process,
            &self.kafka.process,
        ]
    }

    /// Everything that a fault can hit.
    pub(crate) fn all(&self) -> Vec<&Arc<Supervised>> {
        let processes = self.processes().map(|process| &process.process);
        self.servers().into_iter().chain(processes).collect()
    }

    /// Undoes what a fault did to processes: pauses end, what is held down starts, what was started
    /// besides the ordinary or otherwise than ordinarily ends. Returns when everything is ready.
    pub(crate) async fn heal(&self) {
        for process in self.all() {
            process.signal(Signal::Continue);
        }
        for server in self.servers() {
            server.release();
        }
        for process in self.processes() {
            process.restore();
        }
        self.ready().await;
    }

    /// Waits until every server answers and every process that is not held is ready.
    pub(crate) async fn ready(&self) {
        until("Postgres", || self.postgres.is_ready()).await;
        until("Redis", || self.redis.is_ready()).await;
        until("Kafka", || self.kafka.is_ready()).await;
        for process in self.processes() {
            if !process.process.is_held() {
                process.ready().await;
            }
        }
    }
}

/// Looks until it is so, and returns how long that took.
///
/// # Panics
/// If it takes too long.
pub(crate) async fn until<F: Future<Output = bool>>(
    what: &str,
    mut look: impl FnMut() -> F,
) -> Duration {
    let started = Instant::now();
    while !look().await {
        assert!(started.elapsed() < START, "waited in vain for {what}");
        tokio::time::sleep(POLL).await;
    }
    started.elapsed()
}

/// What `./dev` would run them with, on these servers, and passwords that cost little.
fn settings(postgres: &Postgres, redis: &Redis, kafka: &Kafka, layout: &Layout) -> Settings {
    let mut settings = Settings::from_variables();
    for (name, value) in SETTINGS {
        settings.set(name, value);
    }
    for role in ["append", "relay", "project", "read"] {
        let name = format!("TIDEMARK_DATABASE__{}_URL", role.to_uppercase());
        settings.set(&name, postgres.url(&format!("tidemark_{role}")));
    }
    settings.set("TIDEMARK_REDIS__URL", redis.url());
    settings.set("TIDEMARK_KAFKA__BROKERS", kafka.brokers());
    for (name, value) in &layout.settings {
        settings.set(name, &**value);
    }
    settings
}
