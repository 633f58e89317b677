//! A database for each test, copied from one that is migrated once a run, and dropped after it.

use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;
use std::{process, thread};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool};
use tidemark_event_store::{Log, TimedPool};
use tokio::sync::OnceCell;

use crate::settings::from_environment;

/// Then comes the process whose it is, so that the next run knows which ones nobody owns any more.
const PREFIX: &str = "tidemark_test_";

/// How long a test waits for Postgres to answer.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

static TEMPLATE: OnceCell<String> = OnceCell::const_new();
static MADE: AtomicUsize = AtomicUsize::new(0);
static UNUSED: LazyLock<Sender<String>> = LazyLock::new(drop_unused);

/// One test's own database.
#[derive(Debug)]
pub struct Database {
    name: String,
    /// As the superuser, for looking at everything.
    pub pool: PgPool,
}

impl Database {
    /// A migrated, empty one.
    pub async fn fresh() -> Self {
        let template = TEMPLATE.get_or_init(make_template).await;
        let name = new_name();
        let mut admin = connect().await;
        run(
            &mut admin,
            format!("create database {name} template {template}"),
        )
        .await;
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .connect_lazy(&with_name(&admin_url(), &name))
            .unwrap();
        Self { name, pool }
    }

    /// Its name, which is also the prefix of its topics and keys.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// This database, as whoever the URL is for.
    #[must_use]
    pub fn url_like(&self, url: &str) -> String {
        with_name(url, &self.name)
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

    /// The log's time.
    pub async fn now(&self) -> DateTime<Utc> {
        sqlx::query_scalar("select clock_timestamp()")
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    /// The log's time some seconds from now, as requests carry it.
    pub async fn in_seconds(&self, seconds: i64) -> String {
        (self.now().await + TimeDelta::seconds(seconds)).to_rfc3339()
    }
}

impl Drop for Database {
    /// No test waits for it: whoever drops a database waits for a checkpoint.
    fn drop(&mut self) {
        UNUSED.send(self.name.clone()).unwrap();
    }
}

/// Drops databases one after the other, beside the tests. What is left when they end, the next run
/// drops.
fn drop_unused() -> Sender<String> {
    let (sender, unused) = channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        for name in unused {
            // Its processes may still be connected: they are torn off.
            let drop = format!("drop database if exists {name} with (force)");
            let dropped =
                runtime.block_on(async { connect().await.execute(AssertSqlSafe(drop)).await });
            if let Err(error) = dropped {
                eprintln!("{name} is left behind: {error}");
            }
        }
    });
    sender
}

async fn make_template() -> String {
    let mut admin = connect().await;
    drop_orphans(&mut admin).await;
    let name = new_name();
    run(
        &mut admin,
        format!("create database {name} owner tidemark_owner"),
    )
    .await;
    let url = with_name(&from_environment("TIDEMARK_DATABASE__OWNER_URL"), &name);
    let owner = PgPoolOptions::new()
        .max_connections(1)
        .connect(&url)
        .await
        .unwrap();
    tidemark_event_store::migrate(&owner).await.unwrap();
    // Nobody may be connected to what is copied.
    owner.close().await;
    name
}

/// What runs that have ended left behind: their templates, and all of those that were killed.
async fn drop_orphans(admin: &mut PgConnection) {
    let names: Vec<String> = sqlx::query_scalar("select datname from pg_database")
        .fetch_all(&mut *admin)
        .await
        .unwrap();
    for name in names.into_iter().filter(|name| is_orphan(name)) {
        UNUSED.send(name).unwrap();
    }
}

/// Whether something is named after a database of a run that has ended.
pub(crate) fn is_orphan(name: &str) -> bool {
    let owner = name
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.split('_').next()?.parse::<u32>().ok());
    owner.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists())
}

fn new_name() -> String {
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    format!("{PREFIX}{}_{number}", process::id())
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

fn with_name(url: &str, name: &str) -> String {
    let (address, options) = url.split_once('?').unwrap_or((url, ""));
    let (server, _) = address.rsplit_once('/').unwrap();
    if options.is_empty() {
        format!("{server}/{name}")
    } else {
        format!("{server}/{name}?{options}")
    }
}
