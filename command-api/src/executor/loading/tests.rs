//! What streams that are long or damaged mean for the others that are loaded with them, on a real Postgres.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use sqlx::{AssertSqlSafe, PgPool};
use tidemark_domain::market::category::Deactivate;
use tidemark_event_store::TimedPool;
use tidemark_event_store::testing::{create_database, database_name};
use tidemark_events::market::category;
use tidemark_events::{Actor, CategoryId, Event, Metadata};
use tidemark_platform::Config;
use tokio::sync::oneshot;

use super::*;
use crate::admission::{Admission, Share};
use crate::executor::submission::{Answer, Submission};

const KIB: i64 = 1024;
const MIB: i64 = 1024 * KIB;
const DAMAGED: Uuid = Uuid::from_u128(3);

struct Fixture {
    pool: PgPool,
    loading: Loading,
    cache: Cache,
}

impl Fixture {
    async fn new(test: &str) -> Self {
        let pool = create_database(&database_name(&format!("loading_{test}"))).await;
        let timed = TimedPool::new(pool.clone(), Duration::from_secs(10));
        let settings = Config::from_vars([]).unwrap().executor;
        Self {
            pool,
            loading: Loading::new(Loader::new(timed, i64::MAX), &settings),
            cache: Cache::new(usize::MAX),
        }
    }

    /// Writes a stream of so many events, each of which takes this much room.
    async fn write(&self, id: Uuid, events: i64, bytes: i64) {
        let event: Event = category::Event::Activated {
            category_id: CategoryId(id),
        }
        .into();
        let encoded = event.encode().unwrap();
        sqlx::query(
            "insert into events
             select (select count(*) from events) + n, gen_random_uuid(), $1, n, 'category', $2, $3,
                    (rpad(left($4, -1), $5 - 1) || '}')::json, '{}', clock_timestamp()
               from generate_series(1, $6) as n",
        )
        .bind(id)
        .bind(encoded.event_type)
        .bind(encoded.schema_version)
        .bind(encoded.data)
        .bind(i32::try_from(bytes).unwrap())
        .bind(events)
        .execute(&self.pool)
        .await
        .unwrap();
    }

    /// Has a command wait for each of these streams. Returns the receivers of their answers.
    fn wait_for(&mut self, streams: &[Uuid]) -> Vec<oneshot::Receiver<Answer>> {
        let waiting = streams.iter().map(|id| {
            let (command, answer) = command(*id);
            self.loading.wait_for(vec![Load::Stream(*id)], command);
            answer
        });
        waiting.collect()
    }

    /// Waits for one load. Returns the streams that are in the cache now because of it.
    async fn load_once(&mut self) -> Vec<Uuid> {
        self.loading.start();
        let finished = self.loading.next_finished().await.unwrap();
        let commands = self.loading.finish(finished, &mut self.cache);
        let streams = commands.iter().map(|command| command.submission.stream_id);
        streams.collect()
    }

    /// Waits until nothing is left to load. Returns the streams that are in the cache now because of it.
    async fn load_all(&mut self) -> Vec<Uuid> {
        let mut loaded = Vec::new();
        while !self.loading.waiting.is_empty() {
            loaded.extend(self.load_once().await);
        }
        loaded.sort();
        loaded
    }

    /// How much text of events is read and not in the cache yet, if all events are of this size.
    fn bytes_begun(&self, bytes: i64) -> i64 {
        let begun = self.loading.wanted.iter();
        begun.map(|wanted| wanted.version_begun() * bytes).sum()
    }
}

fn command(stream_id: Uuid) -> (QueuedCommand, oneshot::Receiver<Answer>) {
    let share = Share::User(stream_id);
    let submission = Submission {
        command: Arc::new(Deactivate {
            category_id: CategoryId(stream_id),
        }),
        metadata: Metadata {
            actor: Actor::Anonymous,
            correlation_id: Uuid::nil(),
            causation_id: None,
            traceparent: None,
        },
        session: None,
        share: share.clone(),
        stream_id,
        status: StatusCode::OK,
        expected_versions: None,
        idempotency: None,
        subject_keys: Vec::new(),
    };
    let permit = Admission::new("commands", 1, 1).admit(share).ok().unwrap();
    QueuedCommand::new(submission, Instant::now(), None, permit)
}

#[tokio::test]
async fn long_streams_are_read_in_pages_that_are_bounded_together() {
    const EVENTS: i64 = 50;
    const BYTES: i64 = 200 * KIB;
    let mut fixture = Fixture::new("long").await;
    let [short, long @ ..] = [1, 2, 3, 4].map(Uuid::from_u128);
    fixture.write(short, 2, KIB).await;
    for id in long {
        fixture.write(id, EVENTS, BYTES).await;
    }
    let _answers = fixture.wait_for(&[short, long[0], long[1], long[2]]);
    assert_eq!(fixture.load_once().await, [short]);
    let mut read = 0;
    let mut loads = 0;
    while !fixture.loading.waiting.is_empty() {
        let begun = fixture.bytes_begun(BYTES);
        assert!(
            begun - read <= 8 * MIB + 3 * BYTES,
            "{read} and then {begun}"
        );
        read = begun;
        loads += 1;
        fixture.load_once().await;
    }
    assert!(loads >= 3, "30 MiB were read with {loads} loads");
    for id in long {
        assert_eq!(fixture.cache.version(id), Some(EVENTS));
    }
}

#[tokio::test]
async fn many_streams_of_small_events_are_read_in_pages_that_are_bounded_together() {
    let mut fixture = Fixture::new("many").await;
    let streams: Vec<_> = (1..=64).map(Uuid::from_u128).collect();
    for id in &streams {
        fixture.write(*id, 600, 200).await;
    }
    let _answers = fixture.wait_for(&streams);
    assert!(fixture.load_once().await.is_empty());
    assert_eq!(fixture.bytes_begun(1), 16_384);
    assert_eq!(fixture.load_all().await, streams);
    for id in streams {
        assert_eq!(fixture.cache.version(id), Some(600));
    }
}

#[tokio::test]
async fn a_stream_that_cannot_be_read_fails_no_command_but_its_own() {
    let mut fixture = Fixture::new("damaged").await;
    let streams = [1, 2, 3, 4, 5].map(Uuid::from_u128);
    for id in streams {
        fixture.write(id, 3, KIB).await;
    }
    // Reading one event of this stream divides by zero.
    let damage = format!(
        "create policy damaged on events
             using (case when stream_id = '{DAMAGED}' then 1 / (version - 2) <> 0 else true end);
         alter table events enable row level security, force row level security"
    );
    sqlx::raw_sql(AssertSqlSafe(damage))
        .execute(&fixture.pool)
        .await
        .unwrap();
    let answers = fixture.wait_for(&streams);
    let others = [1, 2, 4, 5].map(Uuid::from_u128);
    assert_eq!(fixture.load_all().await, others);
    for (id, answer) in streams.into_iter().zip(answers) {
        let error = answer.await.ok().and_then(Result::err);
        let failed = matches!(error, Some(Error::StorageUnavailable));
        assert_eq!(failed, id == DAMAGED, "{id}: {error:?}");
    }
    assert_eq!(fixture.cache.version(others[0]), Some(3));
}
