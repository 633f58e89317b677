//! Commands are acknowledged before they are on disk, and then the power fails.

use sqlx::{Connection, Executor, PgConnection, PgPool};
use tidemark_event_store::{AppendOutcome, Appender, Conditions, Group, Log, NewEvent, TimedPool};
use tidemark_events::market::category;
use tidemark_events::{CategoryId, Event};
use tidemark_tests::database::RESPONSE_TIMEOUT;
use uuid::Uuid;

use super::support::{metadata, postgres, random_id};
use super::{Outcome, Setup};
use crate::disks::{PowerCutDisk, cut_power};
use crate::invariants::commands::SentCommands;
use crate::journal::{Entry, ExpectedEvent};
use crate::servers::ServerOptions;
use crate::supervisor::Supervisor;
use crate::wait::wait_until;

const COMMANDS: i64 = 200;
/// With these settings the mistake shows every time: Postgres flushes only when somebody waits for
/// it.
const SETTINGS: [(&str, &str); 2] = [("synchronous_commit", "off"), ("wal_writer_delay", "10s")];

pub(super) async fn run(mut setup: Setup) -> Outcome {
    let made = tokio::task::spawn_blocking(PowerCutDisk::make).await;
    let disk = match made.unwrap() {
        Ok(disk) => disk,
        Err(reason) => return Outcome::Skipped(reason),
    };
    let supervisor = Supervisor::new();
    let options = ServerOptions {
        data_home: Some(disk.mount_point()),
        settings: SETTINGS
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ..ServerOptions::default()
    };
    let postgres = postgres(&setup, &supervisor, &options).await;
    let pool = PgPool::connect(&postgres.url("tidemark_owner"))
        .await
        .unwrap();
    tidemark_event_store::migrate(&pool).await.unwrap();
    pool.close().await;
    let mut admin = PgConnection::connect(&postgres.url("postgres"))
        .await
        .unwrap();
    admin.execute("checkpoint").await.unwrap();

    let pool = PgPool::connect(&postgres.url("tidemark_append"))
        .await
        .unwrap();
    let executor_id = random_id(&mut setup.rng);
    let appender = Appender::register(&pool, executor_id).await.unwrap();
    let mut journal = Vec::new();
    for batch in 1..=COMMANDS {
        journal.extend(execute(&mut setup, &appender, batch).await);
    }
    let disk_of_postgres = PowerCutDisk::of(&postgres.data).unwrap();
    cut_power(&postgres.process, disk_of_postgres).await;
    wait_until("Postgres is ready again", || postgres.is_ready()).await;
    let pool = PgPool::connect(&postgres.url("tidemark_read"))
        .await
        .unwrap();
    let log = Log::new(TimedPool::new(pool, RESPONSE_TIMEOUT));
    let log = log.page(0, COMMANDS).await.unwrap();
    Outcome::Checked(SentCommands::of(&journal, &log).lost())
}

/// Appends one event, and returns what a client would write into its journal. Each command is one
/// event, so the number of the batch is the position.
async fn execute(setup: &mut Setup, appender: &Appender, batch: i64) -> [Entry; 2] {
    let [event_id, stream_id, command_id] = [(); 3].map(|()| random_id(&mut setup.rng));
    let category_id = CategoryId(stream_id);
    let event: Event = category::Event::Activated { category_id }.into();
    let group = Group {
        events: vec![NewEvent {
            event_id,
            stream_id,
            version: 1,
            aggregate: event.aggregate().name(),
            encoded: event.encode().unwrap(),
            metadata: metadata(command_id),
        }],
        streams: vec![(stream_id, 0)],
        ..Group::default()
    };
    let outcome = appender
        .append(batch, Conditions::default(), vec![group])
        .await
        .unwrap();
    assert!(matches!(outcome, AppendOutcome::Appended(_)), "{outcome:?}");
    accepted(command_id, stream_id, batch)
}

fn accepted(id: Uuid, category_id: Uuid, position: i64) -> [Entry; 2] {
    let expected = ExpectedEvent {
        event_type: "category.activated".to_owned(),
        data: serde_json::json!({"category_id": category_id}),
    };
    [
        Entry::Sent { id, expected },
        Entry::Accepted {
            id,
            position,
            unknown_attempts: 0,
        },
    ]
}
