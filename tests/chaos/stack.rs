//! A whole Tidemark for one round of faults: a Postgres, Redis and Kafka of its own and the real
//! binaries, all under supervision, in the round's directory.

mod process;

use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tidemark_tests::{Settings, object_store};

use crate::ports;
use crate::servers::{Kafka, Mail, ObjectStore, Paths, Postgres, Receiver, Redis, ServerOptions};
use crate::supervisor::{Signal, Supervised, Supervisor};
use crate::wait::wait_until;

pub(crate) use process::Process;
use process::{Kind, Starter, url};

/// All settings that are not as in production.
const SETTINGS: [(&str, &str); 17] = [
    // The load logs in all the time, and the cost of password hashes is not what is tested.
    ("TIDEMARK_AUTH__ARGON2_MEMORY_KIB", "64"),
    ("TIDEMARK_AUTH__ARGON2_ITERATIONS", "1"),
    ("TIDEMARK_AUTH__HASH_QUEUE_MAX", "256"),
    ("TIDEMARK_AUTH__HASH_PER_ADDRESS_MAX", "256"),
    // The whole load comes from one address.
    ("TIDEMARK_HTTP__CONNECTIONS_PER_ADDRESS_MAX", "4096"),
    ("TIDEMARK_HTTP__IN_FLIGHT_PER_ADDRESS_MAX", "512"),
    ("TIDEMARK_KAFKA__PARTITIONS", "2"),
    ("TIDEMARK_MAIL__SMTP_HOST", "127.0.0.1"),
    ("TIDEMARK_MAIL__TLS", "none"),
    // Every mail is to arrive before the end.
    ("TIDEMARK_MAIL__PER_HOUR_MAX", "100"),
    ("TIDEMARK_MAIL__REPEAT_AFTER_S", "1"),
    // An upload that the store does not answer is refused before its client gives up.
    ("TIDEMARK_OBJECT_STORE__REQUEST_TIMEOUT_S", "2"),
    ("TIDEMARK_PROJECTION__FEED", "kafka"),
    // Tasks with periods of a second are tried again, and receivers that are silent found out, within a test.
    ("TIDEMARK_TASKS__CALL_TIMEOUT_MS", "2000"),
    ("TIDEMARK_TASKS__RETRY_PAUSES_MS", "100,100,100"),
    ("TIDEMARK_TELEMETRY__LOG", "info"),
    ("TIDEMARK_TELEMETRY__LOG_FORMAT", "text"),
];

/// What the stack of a round consists of, where that is not the ordinary.
#[derive(Default)]
pub(crate) struct Layout {
    pub(crate) postgres: ServerOptions,
    pub(crate) redis: ServerOptions,
    pub(crate) kafka: ServerOptions,
    /// The folder of uploaded files; without one they are in an object store.
    pub(crate) media_folder: Option<PathBuf>,
    /// Projectors besides the three that every stack has. They stand by too.
    pub(crate) more_projectors: usize,
    /// More settings of Tidemark's processes, `TIDEMARK_…`.
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) size: LoadSize,
    /// Mounted disks that the servers use. They are dropped after the servers have ended.
    pub(crate) disks: Vec<Box<dyn Any + Send + Sync>>,
}

/// How much is done while faults are injected.
#[derive(Clone, Copy)]
pub(crate) struct LoadSize {
    /// How often each client sends a command, if it is answered in time.
    pub(crate) send_interval: Duration,
    /// The tasks that run by schedules of 1 to 5 s.
    pub(crate) tasks: usize,
    /// The servers that they call. Every second one fails the first call of each run.
    pub(crate) receivers: u8,
}

impl Default for LoadSize {
    fn default() -> Self {
        Self {
            send_interval: Duration::from_millis(40),
            tasks: 10,
            receivers: 2,
        }
    }
}

/// A running Tidemark. When it is dropped, everything ends.
pub(crate) struct Stack {
    /// It is the first field and so is dropped first: that ends all processes.
    _supervisor: Supervisor,
    /// The directory of the round's data and logs.
    pub(crate) directory: PathBuf,
    pub(crate) paths: Paths,
    pub(crate) postgres: Postgres,
    pub(crate) redis: Redis,
    pub(crate) kafka: Kafka,
    pub(crate) mail: Mail,
    pub(crate) object_store: ObjectStore,
    /// The servers that tasks call.
    pub(crate) receivers: Vec<Receiver>,
    pub(crate) size: LoadSize,
    /// Two processes `command-api --roles api`.
    pub(crate) command_apis: Vec<Process>,
    /// Three processes `command-api --roles relay`. One runs, the others are held until a fault
    /// releases them.
    pub(crate) relays: Vec<Process>,
    /// Three projectors, or more if the layout says so. One runs, the others are held.
    pub(crate) projectors: Vec<Process>,
    /// Two query APIs.
    pub(crate) query_apis: Vec<Process>,
    /// The configuration of Tidemark's processes.
    pub(crate) settings: Settings,
    /// Connections of the superuser, who can look at everything.
    pub(crate) pool: PgPool,
    _disks: Vec<Box<dyn Any + Send + Sync>>,
}

impl Stack {
    /// Starts everything, and returns when all of it is ready.
    pub(crate) async fn start(paths: &Paths, directory: &Path, layout: Layout) -> Self {
        std::fs::create_dir_all(directory).unwrap();
        let supervisor = Supervisor::new();
        let kafka = Kafka::start(&supervisor, paths, directory, &layout.kafka);
        let redis = Redis::start(&supervisor, directory, &layout.redis);
        let mail = Mail::start(&supervisor, directory);
        let object_store = ObjectStore::start(&supervisor, directory);
        let receivers = 1..=layout.size.receivers;
        let receivers: Vec<_> = receivers
            .map(|number| Receiver::start(&supervisor, directory, number))
            .collect();
        let postgres = Postgres::start(&supervisor, "postgres", paths, directory, &layout.postgres);
        wait_until("Postgres is ready", || postgres.is_ready()).await;
        postgres.make_roles(paths);
        let owner = PgPool::connect(&postgres.url("tidemark_owner")).await;
        let owner = owner.unwrap();
        tidemark_event_store::migrate(&owner).await.unwrap();
        owner.close().await;
        wait_until("Redis is ready", || redis.is_ready()).await;
        wait_until("Kafka is ready", || kafka.is_ready()).await;
        let mut settings = settings(&postgres, &redis, &kafka, &layout);
        settings.set("TIDEMARK_MAIL__SMTP_PORT", mail.port.to_string());
        for (name, value) in object_store::settings(&object_store.url()) {
            settings.set(name, value);
        }
        let first_port = ports::keep();
        settings.set("TIDEMARK_COMMAND_API__URL", url(first_port));
        let hosts: Vec<_> = receivers.iter().map(|it| &*it.host).collect();
        settings.set("TIDEMARK_TASKS__ALLOWED_PRIVATE_HOSTS", hosts.join(","));
        let starter = Starter {
            supervisor: &supervisor,
            paths,
            logs: directory,
            settings: settings.clone(),
        };
        let stack = Self {
            command_apis: vec![
                starter.start_one(Kind::CommandApi, 1, first_port, false),
                starter.start_one(Kind::CommandApi, 2, ports::keep(), false),
            ],
            relays: starter.start(Kind::Relay, 1, 3),
            projectors: starter.start(Kind::Projector, 1, 3 + layout.more_projectors),
            query_apis: starter.start(Kind::QueryApi, 2, 2),
            pool: PgPoolOptions::new()
                .max_connections(4)
                .connect_lazy(&postgres.url("postgres"))
                .unwrap(),
            _supervisor: supervisor,
            directory: directory.to_owned(),
            paths: paths.clone(),
            postgres,
            redis,
            kafka,
            mail,
            object_store,
            receivers,
            size: layout.size,
            settings,
            _disks: layout.disks,
        };
        stack.heal().await;
        stack
    }

    /// Tidemark's own processes.
    pub(crate) fn processes(&self) -> impl Iterator<Item = &Process> {
        [
            &self.command_apis,
            &self.relays,
            &self.projectors,
            &self.query_apis,
        ]
        .into_iter()
        .flatten()
    }

    /// Postgres, Redis, Kafka, the mail server, the object store and the servers that tasks call.
    pub(crate) fn servers(&self) -> impl Iterator<Item = &Arc<Supervised>> {
        let receivers = self.receivers.iter().map(|it| &it.process);
        [
            &self.postgres.process,
            &self.redis.process,
            &self.kafka.process,
            &self.mail.process,
            &self.object_store.process,
        ]
        .into_iter()
        .chain(receivers)
    }

    /// All servers and processes.
    pub(crate) fn everything(&self) -> Vec<&Arc<Supervised>> {
        let processes = self.processes().map(|process| &process.supervised);
        self.servers().chain(processes).collect()
    }

    /// The position of the last event in the log.
    pub(crate) async fn head(&self) -> i64 {
        sqlx::query_scalar("select position from log_head")
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    /// Undoes what a fault did to processes: those that are paused continue, servers that are held
    /// start, and each of Tidemark's processes runs, or is held, with its program as at first.
    /// Returns when everything is ready.
    pub(crate) async fn heal(&self) {
        for process in self.everything() {
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
        wait_until("Postgres is ready", || self.postgres.is_ready()).await;
        wait_until("Redis is ready", || self.redis.is_ready()).await;
        wait_until("Kafka is ready", || self.kafka.is_ready()).await;
        wait_until("the mail server is ready", || self.mail.is_ready()).await;
        wait_until("the object store is ready", || self.object_store.is_ready()).await;
        for receiver in &self.receivers {
            wait_until("a receiver is ready", || receiver.is_ready()).await;
        }
        for process in self.processes() {
            if !process.supervised.is_held() {
                process.ready().await;
            }
        }
    }
}

/// The settings that `./dev` would run the processes with, on these servers and with [`SETTINGS`].
fn settings(postgres: &Postgres, redis: &Redis, kafka: &Kafka, layout: &Layout) -> Settings {
    let mut settings = Settings::from_variables();
    let bucket = format!("s3://{}/files", object_store::BUCKET);
    let place = layout
        .media_folder
        .as_ref()
        .map_or(bucket, |it| it.display().to_string());
    settings.set("TIDEMARK_MEDIA__PLACE", place);
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
