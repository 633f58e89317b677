//! Commands are answered before they are durable, and then the power fails.

use sqlx::{Connection, Executor, PgConnection, PgPool};
use tidemark_event_store::{AppendOutcome, Appender, Group, Log, NewEvent, TimedPool};
use tidemark_events::market::category;
use tidemark_events::{CategoryId, Event};
use tidemark_tests::database::RESPONSE_TIMEOUT;
use uuid::Uuid;

use super::support::{id, metadata, postgres};
use super::{Caught, World};
use crate::check::journal::Attempts;
use crate::faults::disk::device::Device;
use crate::faults::disk::power_cut;
use crate::journal::{Expected, Line};
use crate::servers::Options;
use crate::stack::until;
use crate::supervisor::Supervisor;

const COUNTER: &str = "I1";
const COMMANDS: i64 = 200;
/// With these the mistake shows each time: nothing is flushed unless somebody waits for it.
const SETTINGS: [(&str, &str); 2] = [("synchronous_commit", "off"), ("wal_writer_delay", "10s")];

pub(super) async fn run(mut world: World) -> Caught {
    let device = match tokio::task::spawn_blocking(Device::make).await.unwrap() {
        Ok(device) => device,
        Err(reason) => {
            return Caught {
                skipped: Some(reason),
                ..Caught::new(COUNTER, Vec::new())
            };
        }
    };
    let supervisor = Supervisor::new();
    let options = Options {
        home: Some(device.mount_point()),
        settings: SETTINGS
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ..Options::default()
    };
    let postgres = postgres(&world, &supervisor, &options).await;
    postgres.make_roles(&world.machine);
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
    let appender = Appender::register(&pool, id(&mut world.rng)).await.unwrap();
    let mut lines = Vec::new();
    for batch in 1..=COMMANDS {
        lines.extend(command(&mut world, &appender, batch).await);
    }
    let on = Device::of(&postgres.data).unwrap();
    power_cut(&postgres.process, on).await;
    until("Postgres", || postgres.is_ready()).await;
    let pool = PgPool::connect(&postgres.url("tidemark_read"))
        .await
        .unwrap();
    let log = Log::new(TimedPool::new(pool, RESPONSE_TIMEOUT));
    let log = log.page(0, COMMANDS).await.unwrap();
    Caught::new(COUNTER, Attempts::of(&lines, &log).lost())
}

/// Sends one, and notes what a client would.
async fn command(world: &mut World, appender: &Appender, batch: i64) -> [Line; 2] {
    let [event_id, stream_id, command] = [(); 3].map(|()| id(&mut world.rng));
    let category_id = CategoryId(stream_id);
    let event: Event = category::Event::Activated { category_id }.into();
    let group = Group {
        events: vec![NewEvent {
            event_id,
            stream_id,
            version: 1,
            aggregate: event.aggregate().name(),
            encoded: event.encode().unwrap(),
            metadata: metadata(command),
        }],
        streams: vec![(stream_id, 0)],
        ..Group::default()
    };
    let outcome = appender.append(batch, None, vec![group]).await.unwrap();
    assert!(matches!(outcome, AppendOutcome::Appended(_)), "{outcome:?}");
    told(command, stream_id, batch)
}

/// Accepted: each is one event, so the position is the number of the command.
fn told(id: Uuid, category_id: Uuid, position: i64) -> [Line; 2] {
    let expect = Expected {
        event: "category.activated".to_owned(),
        data: serde_json::json!({"category_id": category_id}),
    };
    [
        Line::Invoke { id, expect },
        Line::Ok {
            id,
            position,
            unknown: 0,
        },
    ]
}
