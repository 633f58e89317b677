//! How much an append or a fold reads depends on its batch and not on the size of the tables, although
//! Postgres makes the plans while the tables are almost empty.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection, PgPool};
use tidemark_event_store::{
    AppendOutcome, Appender, Conditions, Group, NewEvent, NewIdempotencyRecord, RecordId,
    SubjectKeyUse,
};
use tidemark_events::{Encoded, LogPoint, Recorded};
use tidemark_platform::database;
use tidemark_platform::ids::new_id;
use tidemark_read_models::identity::profile::Profile;
use tidemark_read_models::storage::{Parked, RowBatch, Storage, StoredRow};
use tidemark_read_models::{Generation, ReadModel, Shard};
use tidemark_tests::{Database, Process, Settings, eventually};
use uuid::Uuid;

const BATCHES: i64 = 20;
const GROUPS: i64 = 20;
/// The rows that a batch writes.
const ROWS: i64 = 20;
/// What the append looks up for a group: a stream, a claim, a key and a record, a claim that is
/// released and one that is taken.
const LOOKUPS_PER_GROUP: i64 = 6;

#[tokio::test]
async fn an_append_reads_no_more_when_tables_were_empty_before() {
    let database = Database::fresh().await;
    let tables = ["events", "claims", "subject_keys", "idempotency_records"];
    analyze_while_empty(&database, &tables).await;
    append(&database).await;
    let read = entries_read(&database, &tables).await;
    assert!(read >= BATCHES * GROUPS, "nothing was looked up: {read}");
    let most = BATCHES * GROUPS * LOOKUPS_PER_GROUP;
    assert!(read <= most, "{read} entries were read, {most} are enough");
}

#[tokio::test]
async fn a_fold_reads_no_more_when_its_table_was_empty_before() {
    let database = Database::fresh().await;
    let tables = ["profile_rows_1"];
    analyze_while_empty(&database, &tables).await;
    fold(&database).await;
    let read = entries_read(&database, &tables).await;
    assert!(read >= BATCHES - 1, "nothing was looked up: {read}");
    let most = BATCHES * ROWS;
    assert!(read <= most, "{read} entries were read, {most} are enough");
}

/// The newest action about something takes the place of the one that waits, however many others wait.
#[tokio::test]
async fn an_action_that_replaces_another_reads_no_more_when_there_were_none_before() {
    const REPLACED: i32 = 100;
    let database = Database::fresh().await;
    let tables = ["reactor_actions"];
    analyze_while_empty(&database, &tables).await;
    let mut connection = database.pool.acquire().await.unwrap().detach();
    sqlx::query("set session_replication_role = replica")
        .execute(&mut connection)
        .await
        .unwrap();
    let action = |position: i32, about: i32| {
        json!({
            "position": position, "target": "take-slot", "path": "/", "destination": "",
            "event_id": Uuid::nil(), "correlation_id": Uuid::nil(), "due_at": "2100-01-01T00:00:00Z",
            "about": about.to_string(), "wait_s": 0, "is_newest": true,
        })
    };
    let store = async |connection: &mut PgConnection, actions: Vec<Value>| {
        let expected = i64::try_from(actions.len()).unwrap();
        let store = sqlx::query_scalar("select store_actions('task-clock', $1)");
        let stored: i64 = store
            .bind(Value::Array(actions))
            .fetch_one(connection)
            .await
            .unwrap();
        assert_eq!(stored, expected);
    };
    // The session keeps the plans that it makes while there are few.
    for position in 1..=20 {
        store(&mut connection, vec![action(position, 0)]).await;
    }
    sqlx::query(
        "insert into reactor_actions
                (reactor, position, target, path, event_id, correlation_id, due_at, next_attempt_at, about)
         select 'task-clock', n, 'take-slot', '/', gen_random_uuid(), gen_random_uuid(), 'infinity', 'infinity', n::text
           from generate_series(21, 10000) as n",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    let newer = |task| action(10_000 + task, task);
    for task in 21..=20 + REPLACED {
        store(&mut connection, vec![newer(task)]).await;
    }
    let page = (1_001..=1_000 + REPLACED).map(newer).collect();
    store(&mut connection, page).await;
    drop(connection);
    let read = entries_read(&database, &tables).await;
    assert!(
        (i64::from(2 * REPLACED)..=i64::from(4 * (20 + 2 * REPLACED))).contains(&read),
        "{read} entries were read for twice {REPLACED} actions"
    );
    let waiting = "select count(*) from reactor_actions where done_at is null";
    let waiting = sqlx::query_scalar(waiting);
    let waiting: i64 = waiting.fetch_one(&database.pool).await.unwrap();
    assert_eq!(waiting, 9_981, "each takes the place of one that waits");
}

/// An action that was given up is found among all that were ever done, and the list goes on where it stopped.
#[tokio::test]
async fn a_list_of_actions_given_up_reads_what_it_shows() {
    let database = Database::fresh().await;
    let tables = ["reactor_actions"];
    analyze_while_empty(&database, &tables).await;
    sqlx::raw_sql(
        "set session_replication_role = replica;
         insert into reactor_actions
         select 'auction-timer', n, 'close', '/', gen_random_uuid(), gen_random_uuid(), now(), now(), 1,
                now() + n * interval '1 second', case n % 5 when 0 then '409 auction_over' else 'done' end
           from generate_series(1, 1000000) as n",
    )
    .execute(&database.pool)
    .await
    .unwrap();
    let settings = Settings::new(&database);
    let page = async |before: &[&str]| {
        let list = ["actions", "list", "--json", "--limit", "50"];
        let tool = Process::operators_tool(&settings, &[&list[..], before].concat()).await;
        assert!(tool.status.success(), "{tool:?}");
        serde_json::from_slice::<Vec<Value>>(&tool.stdout).unwrap()
    };
    let first = page(&[]).await;
    let ended_at = |at: usize| first[at]["ended_at"].as_str().unwrap();
    let second = page(&["--before", ended_at(49)]).await;
    let positions = first
        .iter()
        .chain(&second)
        .map(|it| it["position"].as_i64());
    let expected = (0..100).map(|back| Some(1_000_000 - 5 * back));
    assert!(positions.eq(expected), "{first:?} {second:?}");
    let read = entries_read(&database, &tables).await;
    // To estimate, Postgres may look at the ends of an index.
    assert!(
        (100..=110).contains(&read),
        "{read} entries were read for 100 actions"
    );
}

/// A connection is tidied without a transaction when it is given back.
#[tokio::test]
async fn a_statement_is_one_transaction() {
    let database = Database::fresh().await;
    let pool = pool(&database, "TIDEMARK_DATABASE__PROJECT_URL");
    for _ in 0..20 {
        sqlx::query("select 1").execute(&pool).await.unwrap();
    }
    pool.close().await;
    all_connections_closed(&database).await;
    let rolled_back: i64 = sqlx::query_scalar(
        "select xact_rollback from pg_stat_database where datname = current_database()",
    )
    .fetch_one(&database.pool)
    .await
    .unwrap();
    assert_eq!(rolled_back, 0);
}

/// Lets Postgres record that the tables are empty, which its plans rest on until the next analysis.
async fn analyze_while_empty(database: &Database, tables: &[&str]) {
    let vacuum = format!("vacuum analyze {}", tables.join(", "));
    sqlx::raw_sql(AssertSqlSafe(vacuum))
        .execute(&database.pool)
        .await
        .unwrap();
}

/// Writes [`BATCHES`] batches, each of new rows and of the row that all of them change.
async fn fold(database: &Database) {
    append(database).await;
    let log = database.log().page(0, BATCHES).await.unwrap();
    let points: Vec<_> = [LogPoint::START]
        .into_iter()
        .chain(log.iter().map(Recorded::point))
        .collect();
    let pool = pool(database, "TIDEMARK_DATABASE__PROJECT_URL");
    let generation = Generation {
        number: 1,
        fold_version: Profile::FOLD_VERSION,
    };
    let shard = Shard::all(1).next().unwrap();
    let storage = Storage::new::<Profile>(
        pool.clone(),
        Duration::from_secs(10),
        generation,
        shard,
        "test".into(),
    );
    let first = new_id();
    for (batch, points) in (0..BATCHES).zip(points.windows(2)) {
        let ids: Vec<_> = (1..ROWS).map(|_| new_id()).chain([first]).collect();
        let found = storage.rows(&ids, usize::MAX).await.unwrap();
        let found = found.iter().filter(|row| row.document.is_some());
        assert_eq!(found.count(), usize::from(batch > 0));
        let rows = ids.into_iter().map(|id| StoredRow {
            id,
            document: Some("{}".to_owned()),
            position: batch + 1,
            columns: Vec::new(),
        });
        let written = RowBatch {
            from: points[0],
            to: points[1],
            rows: rows.collect(),
            parked: Parked::default(),
        };
        storage.write(Arc::new(written)).await.unwrap();
    }
    pool.close().await;
}

/// Connects as a process with this role does.
fn pool(of: &Database, role: &str) -> PgPool {
    let settings = Settings::new(of);
    database::pool(&settings.config().database, settings.get(role)).unwrap()
}

/// Appends [`BATCHES`] batches to the same streams.
async fn append(database: &Database) {
    let pool = pool(database, "TIDEMARK_DATABASE__APPEND_URL");
    let appender = Appender::register(&pool, new_id()).await.unwrap();
    let streams: Vec<_> = (0..GROUPS).map(|_| new_id()).collect();
    for batch in 1..=BATCHES {
        let groups = streams.iter().map(|stream_id| group(*stream_id, batch));
        let outcome = appender
            .append(batch, Conditions::default(), groups.collect())
            .await;
        assert!(
            matches!(outcome.unwrap(), AppendOutcome::Appended(done) if done.conflicts.is_empty())
        );
    }
}

fn group(stream_id: Uuid, version: i64) -> Group {
    let encoded = Encoded {
        event_type: "test.happened".to_owned(),
        schema_version: 1,
        data: "{}".to_owned(),
    };
    let claim = |version| format!("{stream_id}-{version}");
    let held = (version > 1).then_some(stream_id);
    Group {
        events: vec![NewEvent {
            event_id: new_id(),
            stream_id,
            version,
            aggregate: "test",
            encoded,
            metadata: "{}".to_owned(),
        }],
        streams: vec![(stream_id, version - 1)],
        known_streams: Vec::new(),
        claims_read: vec![("test", claim(version - 1), held)],
        claims_written: vec![
            ("test", claim(version - 1), None),
            ("test", claim(version), Some(stream_id)),
        ],
        idempotency_records: vec![NewIdempotencyRecord {
            id: RecordId::of(&format!("user:{stream_id}"), &new_id().to_string()),
            service_key: None,
            request_hash: vec![7; 32],
            status: Some(201),
            stream_id,
            version,
            last_event: Some(0),
        }],
        subject_keys: vec![SubjectKeyUse {
            subject: new_id(),
            version: 1,
            wrapped: Some(vec![7; 60]),
        }],
    }
}

/// Waits until all connections of processes are closed: a connection reports what it did when it closes.
async fn all_connections_closed(database: &Database) {
    eventually("all connections to close", || async {
        let connected: i64 = sqlx::query_scalar(
            "select count(*)
               from pg_stat_activity
              where datname = $1
                and usename in ('tidemark_append', 'tidemark_project')",
        )
        .bind(database.name())
        .fetch_one(&database.pool)
        .await
        .unwrap();
        (connected == 0).then_some(())
    })
    .await;
}

/// Counts the rows of these tables and the entries of their indexes that were read.
async fn entries_read(database: &Database, tables: &[&str]) -> i64 {
    all_connections_closed(database).await;
    sqlx::query_scalar(
        "select ((select sum(idx_tup_read) from pg_stat_user_indexes where relname = any($1))
               + (select sum(seq_tup_read) from pg_stat_user_tables where relname = any($1)))::bigint",
    )
    .bind(tables)
    .fetch_one(&database.pool)
    .await
    .unwrap()
}
