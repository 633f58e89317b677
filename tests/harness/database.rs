//! A database for each test. It is copied from a template that is migrated once a run, and dropped
//! after the test.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;
use std::{fs, thread};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool};
use tidemark_event_store::testing::{
    PREFIX, create_database, database_name, from_environment, with_database,
};
use tidemark_event_store::{Log, TimedPool};
use tokio::sync::OnceCell;

/// How long a test waits for Postgres to answer.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

static TEMPLATE: OnceCell<String> = OnceCell::const_new();
static MADE: AtomicUsize = AtomicUsize::new(0);
static UNUSED: LazyLock<Sender<String>> = LazyLock::new(drop_unused);

/// A database of one test.
#[derive(Debug)]
pub struct Database {
    name: String,
    /// Connections of the superuser, who may read and change everything.
    pub pool: PgPool,
}

impl Database {
    /// Makes a migrated database without events.
    pub async fn fresh() -> Self {
        let template = TEMPLATE.get_or_init(make_template).await;
        Self::create(&format!("template {template} owner tidemark_owner")).await
    }

    /// Makes a database that is not migrated.
    pub async fn empty() -> Self {
        Self::create("owner tidemark_owner").await
    }

    async fn create(options: &str) -> Self {
        let name = new_name();
        let mut admin = connect().await;
        run(&mut admin, format!("create database {name} {options}")).await;
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .connect_lazy(&with_database(&admin_url(), &name))
            .unwrap();
        Self { name, pool }
    }

    /// The name of the database, which is also the prefix of the test's topics and keys.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where processes that use this database keep media.
    #[must_use]
    pub fn media_folder(&self) -> PathBuf {
        media_folder(&self.name)
    }

    /// How many events of this type the log holds.
    pub async fn count_of(&self, event_type: &str) -> i64 {
        let counting = sqlx::query_scalar("select count(*) from events where type = $1");
        counting
            .bind(event_type)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    /// A URL that leads to this database with the credentials of the given one.
    #[must_use]
    pub fn url_like(&self, url: &str) -> String {
        with_database(url, &self.name)
    }

    /// The position of the last event.
    pub async fn head(&self) -> i64 {
        sqlx::query_scalar("select position from log_head")
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    /// The log, for reading as the superuser.
    #[must_use]
    pub fn log(&self) -> Log {
        Log::new(TimedPool::new(self.pool.clone(), RESPONSE_TIMEOUT))
    }

    /// The time of Postgres, which is that of the log.
    pub async fn now(&self) -> DateTime<Utc> {
        sqlx::query_scalar("select clock_timestamp()")
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    /// A time so many seconds from now by Postgres's clock, as requests carry it.
    pub async fn in_seconds(&self, seconds: i64) -> String {
        (self.now().await + TimeDelta::seconds(seconds)).to_rfc3339()
    }
}

impl Drop for Database {
    /// Dropping a database waits for a checkpoint, so another thread does it and no test waits.
    fn drop(&mut self) {
        UNUSED.send(self.name.clone()).unwrap();
    }
}

/// Where processes that use a database keep media.
fn media_folder(name: &str) -> PathBuf {
    std::env::temp_dir().join("tidemark-media").join(name)
}

/// Starts a thread that drops databases one after the other. What is left when the tests end is dropped
/// by the next run.
fn drop_unused() -> Sender<String> {
    let (sender, unused) = channel::<String>();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        for name in unused {
            // Processes may still be connected; `with (force)` ends their connections.
            let drop = format!("drop database if exists {name} with (force)");
            let dropped =
                runtime.block_on(async { connect().await.execute(AssertSqlSafe(drop)).await });
            if let Err(error) = dropped {
                eprintln!("{name} was not dropped: {error}");
            }
            // Most tests keep no media.
            let _ = fs::remove_dir_all(media_folder(&name));
        }
    });
    sender
}

async fn make_template() -> String {
    let mut admin = connect().await;
    drop_orphans(&mut admin).await;
    let name = new_name();
    let owner = create_database(&name).await;
    // Postgres copies only a database that nobody is connected to.
    owner.close().await;
    name
}

/// Drops what earlier runs left behind: their templates, and every database of a run that was killed.
async fn drop_orphans(admin: &mut PgConnection) {
    let names: Vec<String> = sqlx::query_scalar("select datname from pg_database")
        .fetch_all(&mut *admin)
        .await
        .unwrap();
    for name in names.into_iter().filter(|name| is_orphan(name)) {
        UNUSED.send(name).unwrap();
    }
}

/// Whether a name is that of a database, or begins with it, whose run has ended.
pub(crate) fn is_orphan(name: &str) -> bool {
    let owner = name
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.split('_').next()?.parse::<u32>().ok());
    owner.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists())
}

fn new_name() -> String {
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    database_name(&number.to_string())
}

fn admin_url() -> String {
    from_environment("TIDEMARK_TEST_DATABASE_URL")
}

async fn connect() -> PgConnection {
    PgConnection::connect(&admin_url()).await.unwrap()
}

async fn run(connection: &mut PgConnection, sql: String) {
    connection.execute(AssertSqlSafe(sql)).await.unwrap();
}
