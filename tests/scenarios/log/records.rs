//! An idempotency record is found by a hash of its principal and key, whichever build wrote it.

use std::path::Path;

use sqlx::PgPool;
use sqlx::migrate::Migrator;
use tidemark_event_store::testing::from_environment;
use tidemark_event_store::{
    AppendOutcome, Appender, Conditions, Conflict, Group, NewEvent, NewIdempotencyRecord, RecordId,
    migrate,
};
use tidemark_events::Encoded;
use tidemark_platform::ids::new_id;
use tidemark_tests::Database;
use uuid::Uuid;

/// The migration before which a record was found by its texts.
const HASHES: i64 = 20_261_126_071_400;
const USER: &str = "user:01a2161c-15e9-7215-931b-b61ecc18350b";
const KEY: &str = "3f2c8a4e-key-of-this-test";
const REACTOR: &str = "service:auction-timer";

/// The columns of a record that a test looks at.
type Record = (Uuid, Option<String>, Option<String>);

async fn records(pool: &PgPool) -> Vec<Record> {
    sqlx::query_as("select id, principal, key from idempotency_records order by position")
        .fetch_all(pool)
        .await
        .unwrap()
}

fn record_of(principal: &str) -> RecordId {
    RecordId::of(principal, KEY)
}

#[tokio::test]
async fn records_that_were_found_by_texts_are_found_by_their_hash() {
    let database = Database::empty().await;
    let owner = database.url_like(&from_environment("TIDEMARK_DATABASE__OWNER_URL"));
    let owner = PgPool::connect(&owner).await.unwrap();
    let migrations = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations"));
    let all = Migrator::new(migrations).await.unwrap();
    let before = all.iter().filter(|migration| migration.version < HASHES);
    let before = Migrator::with_migrations(before.cloned().collect());
    before.run(&owner).await.unwrap();
    sqlx::query(
        "insert into idempotency_records
         select principal, $2, '', 201, gen_random_uuid(), 1, place, clock_timestamp()
           from unnest($1::text[]) with ordinality as principals (principal, place)",
    )
    .bind([USER, REACTOR])
    .bind(KEY)
    .execute(&owner)
    .await
    .unwrap();
    migrate(&owner).await.unwrap();
    let reactor = Some((REACTOR.to_owned(), KEY.to_owned())).unzip();
    assert_eq!(
        records(&database.pool).await,
        [
            (record_of(USER).0, None, None),
            (record_of(REACTOR).0, reactor.0, reactor.1),
        ]
    );
    owner.close().await;
}

/// The build before names principal and key, and no id.
#[tokio::test]
async fn the_build_before_and_this_one_find_each_others_records() {
    let database = Database::fresh().await;
    let executor = new_id();
    let appender = Appender::register(&database.pool, executor).await.unwrap();
    append_as_before(&database.pool, executor).await;

    let conflicts = conflicts_of(&appender, 2, group(USER)).await;
    let [Conflict::IdempotencyRecord { record, .. }] = &conflicts[..] else {
        panic!("{conflicts:?}");
    };
    assert_eq!(record.id, record_of(USER));
    let other = "user:another";
    assert_eq!(conflicts_of(&appender, 3, group(other)).await, []);
    let told: (String, String) = sqlx::query_as(
        "select moved #>> '{0,record,principal}', moved #>> '{0,record,key}'
           from append(
                    $1, 4, null, null,
                    '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
                    '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
                    '{0}', array[$2], array[$3], '{\"\"}', '{201}', array[gen_random_uuid()], '{1}', '{null}',
                    '{}', '{}', '{}', '{}'
                )",
    )
    .bind(executor)
    .bind(other)
    .bind(KEY)
    .fetch_one(&database.pool)
    .await
    .unwrap();
    assert_eq!(told, (other.to_owned(), KEY.to_owned()));
}

/// Appends an event of [`USER`] with [`KEY`] as the build before did.
async fn append_as_before(pool: &PgPool, executor: Uuid) {
    let is_written: bool = sqlx::query_scalar(
        "select current
           from append_one(
                    $1, 1, null, null,
                    gen_random_uuid(), $2, 1, 'test', 'test.happened', 1::smallint, '{}', '{}',
                    array[$2], '{0}',
                    $3, $4, '', 201::smallint, $2, 1
                )",
    )
    .bind(executor)
    .bind(new_id())
    .bind(USER)
    .bind(KEY)
    .fetch_one(pool)
    .await
    .unwrap();
    assert!(is_written);
}

async fn conflicts_of(appender: &Appender, batch: i64, group: Group) -> Vec<Conflict> {
    let outcome = appender
        .append(batch, Conditions::default(), vec![group])
        .await
        .unwrap();
    let AppendOutcome::Appended(done) = outcome else {
        panic!("{outcome:?}");
    };
    done.conflicts
}

/// One event on a new stream, of a command of this principal with [`KEY`].
fn group(principal: &str) -> Group {
    let stream_id = new_id();
    let event = NewEvent {
        event_id: new_id(),
        stream_id,
        version: 1,
        aggregate: "test",
        encoded: Encoded {
            event_type: "test.happened".to_owned(),
            schema_version: 1,
            data: "{}".to_owned(),
        },
        metadata: "{}".to_owned(),
    };
    Group {
        events: vec![event],
        streams: vec![(stream_id, 0)],
        idempotency_records: vec![NewIdempotencyRecord {
            id: record_of(principal),
            service_key: None,
            request_hash: Vec::new(),
            status: Some(201),
            stream_id,
            version: 1,
            last_event: Some(0),
        }],
        ..Group::default()
    }
}
