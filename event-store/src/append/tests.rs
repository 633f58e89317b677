//! What the log holds after an append, and what the append answers, on a real Postgres.

mod batch_numbers;
mod conflicts;
mod known_streams;
mod older_builds;
mod records;

use chrono::TimeDelta;
use tidemark_events::market::category;
use tidemark_events::{CategoryId, Event};

use super::*;
use crate::testing::{create_database, database_name};
use crate::{Log, RecordId, TimedPool};

const SUBJECT: Uuid = Uuid::from_u128(77);

const RECORDS: &str = "select concat(key, ' ', position) from idempotency_records order by key";
const CLAIMS: &str = "select concat(scope, ' ', key, ' ', owner_id) from claims";
const SUBJECT_KEYS: &str = "select concat(subject, ' ', version, ' ', wrapped) from subject_keys";

/// An executor with a log of its own.
struct Executor {
    pool: PgPool,
    appender: Appender,
    batch: i64,
}

impl Executor {
    async fn new(test: &str) -> Self {
        let pool = create_database(&database_name(&format!("append_{test}"))).await;
        let appender = Appender::register(&pool, Uuid::from_u128(1)).await;
        Self {
            pool,
            appender: appender.unwrap(),
            batch: 0,
        }
    }

    async fn append(&mut self, groups: Vec<Group>) -> Appended {
        self.batch += 1;
        let outcome = self
            .appender
            .append(self.batch, Conditions::default(), groups)
            .await;
        let AppendOutcome::Appended(appended) = outcome.unwrap() else {
            panic!("the batch was not appended");
        };
        appended
    }

    /// Appends groups that have no conflict.
    async fn writes(&mut self, groups: Vec<Group>) {
        assert_eq!(self.append(groups).await.conflicts, []);
    }

    /// Position, stream and version of every event.
    async fn events(&self) -> Vec<(i64, Uuid, i64)> {
        let log = Log::new(TimedPool::new(self.pool.clone(), Duration::from_secs(10)));
        let events = log.page(0, i64::MAX).await.unwrap().into_iter();
        events
            .map(|event| (event.position, event.stream_id, event.version))
            .collect()
    }

    /// What a query gives, as text.
    async fn rows(&self, sql: &'static str) -> Vec<String> {
        let query = sqlx::query_scalar(sql);
        query.fetch_all(&self.pool).await.unwrap()
    }
}

fn stream(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn happened(stream_id: Uuid) -> Event {
    let category_id = CategoryId(stream_id);
    category::Event::Activated { category_id }.into()
}

/// The events of a stream with these versions, and the stream as it is before them.
fn group(stream_id: Uuid, versions: RangeInclusive<i64>) -> Group {
    Group {
        streams: vec![(stream_id, versions.start() - 1)],
        events: versions
            .map(|version| NewEvent {
                event_id: Uuid::from_u64_pair(stream_id.as_u64_pair().1, version.unsigned_abs()),
                stream_id,
                version,
                aggregate: "category",
                encoded: happened(stream_id).encode().unwrap(),
                metadata: "{}".to_owned(),
            })
            .collect(),
        ..Group::default()
    }
}

fn record(key: &str, status: Option<i16>, last_event: Option<usize>) -> NewIdempotencyRecord {
    NewIdempotencyRecord {
        id: RecordId::of("service:1", key),
        service_key: Some(("service:1".to_owned(), key.to_owned())),
        request_hash: vec![0, 1, 255],
        status,
        stream_id: stream(10),
        version: 1,
        last_event,
    }
}

fn new_key() -> SubjectKeyUse {
    SubjectKeyUse {
        subject: SUBJECT,
        version: 1,
        wrapped: Some(vec![7]),
    }
}

#[tokio::test]
async fn a_batch_is_written_with_all_that_its_groups_name() {
    let mut executor = Executor::new("batch").await;
    let (one, other) = (stream(10), stream(11));
    let first = Group {
        claims_written: vec![("slug", "pipes".to_owned(), Some(one))],
        idempotency_records: vec![record("a", Some(201), Some(1))],
        ..group(one, 1..=2)
    };
    let second = Group {
        idempotency_records: vec![
            record("b", Some(201), Some(0)),
            record("c", Some(200), None),
            record("d", None, None),
        ],
        subject_keys: vec![new_key()],
        ..group(other, 1..=2)
    };
    executor.writes(vec![first, second]).await;

    assert_eq!(
        executor.events().await,
        [(1, one, 1), (2, one, 2), (3, other, 1), (4, other, 2)]
    );
    assert_eq!(executor.rows(RECORDS).await, ["a 2", "b 3", "c 0"]);
    assert_eq!(executor.rows(CLAIMS).await, [format!("slug pipes {one}")]);
    assert_eq!(
        executor.rows(SUBJECT_KEYS).await,
        [format!("{SUBJECT} 1 \\x07")]
    );
}

#[tokio::test]
async fn a_single_event_is_written_with_all_that_its_group_names() {
    let mut executor = Executor::new("single").await;
    let one = stream(10);
    let claim = |owner| vec![("slug", "pipes".to_owned(), owner)];
    executor
        .writes(vec![Group {
            claims_written: claim(Some(one)),
            ..group(one, 1..=1)
        }])
        .await;
    let wrong = Group {
        claims_read: claim(None),
        ..group(one, 2..=2)
    };
    assert_eq!(executor.append(vec![wrong]).await.conflicts.len(), 1);
    let two = ["c", "d"].map(|key| record(key, Some(201), Some(0)));
    for (version, idempotency_records, subject_keys) in [
        (2, vec![], vec![new_key()]),
        (3, vec![record("a", Some(201), Some(0))], vec![]),
        (4, vec![record("b", Some(200), None)], vec![]),
        (5, vec![record("refused", None, Some(0))], vec![]),
        (6, two.to_vec(), vec![]),
    ] {
        let group = Group {
            idempotency_records,
            subject_keys,
            ..group(one, version..=version)
        };
        executor.writes(vec![group]).await;
    }
    assert_eq!(executor.events().await.len(), 6);
    assert_eq!(executor.rows(CLAIMS).await.len(), 1);
    assert_eq!(executor.rows(SUBJECT_KEYS).await.len(), 1);
    assert_eq!(executor.rows(RECORDS).await, ["a 3", "b 3", "c 6", "d 6"]);
}

#[tokio::test]
async fn a_conflict_names_its_group_and_tells_what_moved() {
    let mut executor = Executor::new("conflicts").await;
    let (one, other) = (stream(10), stream(11));
    let claim = |owner| vec![("slug", "pipes".to_owned(), owner)];
    let before = Group {
        claims_written: claim(Some(one)),
        idempotency_records: vec![record("a", Some(201), Some(0))],
        subject_keys: vec![new_key()],
        ..group(one, 1..=1)
    };
    executor.writes(vec![before]).await;

    let appended = executor
        .append(vec![
            group(other, 1..=1),
            group(one, 1..=1),
            Group {
                claims_read: claim(None),
                ..group(stream(12), 1..=1)
            },
            Group {
                idempotency_records: vec![record("a", Some(201), Some(0))],
                ..group(stream(13), 1..=1)
            },
            Group {
                subject_keys: vec![new_key()],
                ..group(stream(14), 1..=1)
            },
        ])
        .await;
    assert_eq!(executor.events().await, [(1, one, 1), (2, other, 1)]);
    assert_eq!(appended.head, 1);
    let mut conflicts = appended.conflicts;
    conflicts.sort_by_key(Conflict::group);
    let groups: Vec<_> = conflicts.iter().map(Conflict::group).collect();
    assert_eq!(groups, [1, 2, 3, 4]);
    let [
        Conflict::Stream {
            group: 1,
            id,
            unseen,
        },
        Conflict::Claim {
            group: 2, owner, ..
        },
        Conflict::IdempotencyRecord {
            group: 3,
            record: known,
        },
        Conflict::SubjectKey { group: 4, subject },
    ] = &*conflicts
    else {
        panic!("{conflicts:?}")
    };
    assert_eq!((*id, unseen[0].version), (one, 1));
    assert_eq!(unseen[0].decode().unwrap(), happened(one));
    assert_eq!(*owner, Some(one));
    assert_eq!(
        (&*known.request_hash, known.position),
        (&[0, 1, 255][..], 1)
    );
    assert_eq!(*subject, SUBJECT);
}

#[tokio::test]
async fn a_batch_is_written_once_and_only_in_its_time() {
    let mut executor = Executor::new("once").await;
    let one = stream(10);
    let at = executor.append(vec![group(one, 1..=1)]).await.at;
    let appender = &executor.appender;
    let again = appender
        .append(1, Conditions::default(), vec![group(one, 2..=2)])
        .await;
    assert!(matches!(again.unwrap(), AppendOutcome::NotCurrent));

    let hour = TimeDelta::hours(1);
    for (batch, valid) in [
        (2, at - hour * 2..=at - hour),
        (3, at + hour..=at + hour * 2),
    ] {
        let is_late = *valid.end() < at;
        let outcome = appender.append(
            batch,
            Conditions {
                valid: Some(valid),
                known_head: None,
            },
            vec![group(one, 2..=2)],
        );
        match outcome.await.unwrap() {
            AppendOutcome::Late(now) => assert!(is_late && now >= at),
            AppendOutcome::Early(now) => assert!(!is_late && now >= at),
            other @ (AppendOutcome::Appended(_) | AppendOutcome::NotCurrent) => {
                panic!("{other:?}")
            }
        }
    }
    assert_eq!(executor.events().await, [(1, one, 1)]);
}

#[tokio::test]
async fn a_batch_that_was_resolved_is_never_written() {
    let mut executor = Executor::new("resolved").await;
    let one = stream(10);
    executor.writes(vec![group(one, 1..=1)]).await;
    let appender = &executor.appender;
    assert!(appender.resolve(1).await.unwrap());
    assert!(!appender.resolve(2).await.unwrap());
    let late = appender
        .append(2, Conditions::default(), vec![group(one, 2..=2)])
        .await;
    assert!(matches!(late.unwrap(), AppendOutcome::NotCurrent));
    assert_eq!(executor.events().await.len(), 1);
}

#[tokio::test]
async fn an_executor_that_appends_nothing_for_long_is_forgotten() {
    let executor = Executor::new("forgotten").await;
    sqlx::query("insert into executors values ($1, 1, clock_timestamp() - interval '2 days')")
        .bind(stream(2))
        .execute(&executor.pool)
        .await
        .unwrap();
    let day = Duration::from_hours(24);
    Appender::remove_old(&executor.pool, day).await.unwrap();
    assert_eq!(
        executor.rows("select id::text from executors").await,
        [executor.appender.executor.to_string()]
    );
}
