//! A whole projector, on a real Postgres and a real Redis, without Kafka.

use std::net::SocketAddr;

use tidemark_events::{Event, Recorded, samples};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::testing::Database;
use tidemark_event_store::testing::from_environment;

struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<Result<(), Error>>,
}

impl Running {
    async fn start(config: Config) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let task = tokio::spawn({
            let stop = stop.clone();
            async move { run(config, &Role::ALL, listener, stop).await }
        });
        Self {
            address,
            stop,
            task,
        }
    }

    async fn is_ready(&self) -> bool {
        let url = format!("http://{}/readyz", self.address);
        reqwest::get(url).await.unwrap().status().is_success()
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

fn config(database: &Database) -> Config {
    database.config(&[
        (
            "TIDEMARK_REDIS__URL",
            &from_environment("TIDEMARK_REDIS__URL"),
        ),
        ("TIDEMARK_REDIS__KEY_PREFIX", &database.name),
        ("TIDEMARK_PROJECTION__POLL_MS", "5"),
        ("TIDEMARK_PROJECTION__LEASE_MS", "300"),
    ])
}

/// All sample events, at the positions from `first` on.
fn events(first: i64) -> Vec<Recorded> {
    let recorded = |(position, event): (i64, Event)| samples::recorded(position, &event);
    (first..).zip(samples::all()).map(recorded).collect()
}

/// Waits until all read models and reactors have applied the log up to a position.
async fn wait_until_applied(database: &Database, position: i64) {
    let sql = "select bool_and(position = $1) from (
                   select position from checkpoints where read_model <> 'tally'
                   union all select position from reactors) following";
    let behind = async || {
        let all: bool = sqlx::query_scalar(sql)
            .bind(position)
            .fetch_one(&database.owner)
            .await
            .unwrap();
        !all
    };
    while behind().await {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_log_becomes_rows_documents_and_actions() {
    let database = Database::new("run").await;
    let first = events(1);
    let head = first.last().unwrap().position;
    database.append(&first).await;
    let projector = Running::start(config(&database)).await;
    wait_until_applied(&database, head).await;
    assert!(projector.is_ready().await);
    let second = events(head + 1);
    database.append(&second).await;
    wait_until_applied(&database, 2 * head).await;

    assert_eq!(database.rows("history").await.len(), second.len() * 2);
    let (document, position) = database.rows("auction").await[&samples::AUCTION.0].clone();
    let documents = documents(&config(&database).redis).unwrap().unwrap();
    // One of the events began a timeline.
    let timeline: i32 = sqlx::query_scalar("select timeline from log_head")
        .fetch_one(&database.owner)
        .await
        .unwrap();
    let cached = async || {
        documents
            .get(timeline, "auction", 1, 1, samples::AUCTION.0)
            .await
            .unwrap()
    };
    while cached()
        .await
        .is_none_or(|cached| cached.checkpoint < 2 * head)
    {
        tokio::task::yield_now().await;
    }
    let cached = cached().await.unwrap();
    assert_eq!(
        (cached.document.as_deref(), cached.position),
        (Some(&*document), position)
    );
    let timers = "select count(*) from reactor_actions where reactor = 'auction-timer'";
    let actions: i64 = sqlx::query_scalar(timers)
        .fetch_one(&database.owner)
        .await
        .unwrap();
    assert_eq!(actions, 4);

    projector.stop().await;
    let leases: i64 =
        sqlx::query_scalar("select count(*) from leases where expires_at > clock_timestamp()")
            .fetch_one(&database.owner)
            .await
            .unwrap();
    assert_eq!(leases, 0, "all leases are released");
}

#[tokio::test]
async fn projectors_share_assignments_and_take_over_from_one_that_is_killed() {
    let database = Database::new("several").await;
    let [first, second] = [
        Running::start(config(&database)).await,
        Running::start(config(&database)).await,
    ];
    let log = events(1);
    let head = log.last().unwrap().position;
    let holders = "select count(distinct holder) from leases
                    where name not like 'projector:%' and expires_at > clock_timestamp()";
    let holders = async || {
        let holders: i64 = sqlx::query_scalar(holders)
            .fetch_one(&database.owner)
            .await
            .unwrap();
        holders
    };
    while holders().await < 2 {
        tokio::task::yield_now().await;
    }
    database.append(&log[..5]).await;
    wait_until_applied(&database, 5).await;
    first.task.abort();
    assert!(
        first.task.await.is_err(),
        "a killed projector releases no lease"
    );
    database.append(&log[5..]).await;
    wait_until_applied(&database, head).await;
    second.stop().await;
}

/// Reactors wait for the lock, and with them whatever else has its connections from the same pool.
#[tokio::test]
async fn a_lock_on_the_actions_of_reactors_delays_no_read_model() {
    let database = Database::new("locked_actions").await;
    let own = database.config(&[
        ("TIDEMARK_PROJECTION__POLL_MS", "5"),
        ("TIDEMARK_DATABASE__MAX_CONNECTIONS", "3"),
        ("TIDEMARK_DATABASE__LOCK_TIMEOUT_MS", "60000"),
        ("TIDEMARK_DATABASE__STATEMENT_TIMEOUT_MS", "60000"),
        ("TIDEMARK_DATABASE__RESPONSE_TIMEOUT_MS", "70000"),
        ("TIDEMARK_EXECUTOR__APPEND_TIMEOUT_MS", "70000"),
    ]);
    let projector = Running::start(own).await;
    let log = events(1);
    let (before, head) = (5, log.last().unwrap().position);
    database.append(&log[..5]).await;
    wait_until_applied(&database, before).await;
    let mut locked = database.owner.begin().await.unwrap();
    let lock = "lock table reactor_actions in access exclusive mode";
    sqlx::raw_sql(lock).execute(&mut *locked).await.unwrap();
    database.append(&log[5..]).await;
    let applied = "select bool_and(position = $1) from checkpoints where read_model <> 'tally'";
    let applied = async || {
        let applied = sqlx::query_scalar(applied).bind(head);
        let applied: bool = applied.fetch_one(&database.owner).await.unwrap();
        applied
    };
    let all_applied = async {
        while !applied().await {
            tokio::task::yield_now().await;
        }
    };
    let in_time = timeout(Duration::from_secs(20), all_applied).await;
    in_time.expect("read models wait for the connections of reactors");
    locked.rollback().await.unwrap();
    wait_until_applied(&database, head).await;
    projector.stop().await;
}

#[tokio::test]
async fn a_projector_without_its_database_waits_and_is_not_ready() {
    let url = (
        "TIDEMARK_DATABASE__PROJECT_URL",
        "postgres://nobody@127.0.0.1:1/nothing",
    );
    let token = format!("projector={}", "s".repeat(32));
    let vars = [url, ("TIDEMARK_SERVICE_TOKEN", &token)];
    let config =
        Config::from_vars(vars.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap();
    let projector = Running::start(config).await;
    assert!(!projector.is_ready().await);
    projector.stop().await;
}

#[tokio::test]
async fn a_missing_setting_is_named_by_its_variable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = Config::from_vars([]).unwrap();
    let error = run(config, &Role::ALL, listener, CancellationToken::new())
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("TIDEMARK_DATABASE__PROJECT_URL"),
        "{error}"
    );
}
