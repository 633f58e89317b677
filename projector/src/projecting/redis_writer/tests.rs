//! The documents of a shard in Redis, with a real Postgres and a real Redis.

mod parked;

use sqlx::PgPool;
use tidemark_events::samples::CATEGORY;
use tidemark_read_models::Shard;
use tidemark_read_models::redis::{CachedDocument, Documents, Guard};
use tidemark_read_models::storage::Parked;
use uuid::Uuid;

use super::*;
use crate::testing::{Database, GENERATION, Tally, at, recorded};
use tidemark_event_store::testing::from_environment;

/// How many events the log holds.
const LOG: i64 = 20;
/// The id of a row that is removed.
const REMOVED: Uuid = Uuid::from_u128(13);

/// A shard of the small read model, its bucket, and the Redis writer between them.
struct Case {
    database: Database,
    storage: Storage,
    documents: Documents,
    raw: redis::aio::MultiplexedConnection,
    key: String,
    handle: RedisWriterHandle,
    writer: RedisWriter,
}

impl Case {
    async fn new(name: &str, queue_bytes_max: usize) -> Self {
        let database = Database::new(name).await;
        let log: Vec<_> = (1..=LOG).map(recorded).collect();
        database.append(&log).await;
        let url = from_environment("TIDEMARK_REDIS__URL");
        let prefix = &database.name;
        let key = format!("{prefix}:{{1.tally.1.0}}");
        let mut raw = redis::Client::open(&*url)
            .unwrap()
            .get_multiplexed_async_connection()
            .await
            .unwrap();
        delete(&mut raw, &key).await;
        let documents = Documents::new(&url, prefix, Duration::from_secs(5)).unwrap();
        let storage = Storage::new::<Tally>(
            PgPool::clone(&database.pool),
            Duration::from_secs(10),
            GENERATION,
            Shard::ONLY,
            "test".into(),
        );
        let settings = config::Redis {
            queue_bytes_max,
            script_documents_max: 2,
            ..database.config(&[]).redis
        };
        let (handle, writer) =
            RedisWriter::new("tally", storage.clone(), documents.clone(), &settings);
        handle.start_at(LogPoint::START, 1);
        Self {
            database,
            storage,
            documents,
            raw,
            key,
            handle,
            writer,
        }
    }

    /// Writes rows, and offers them to the Redis writer.
    async fn commit(&self, from: i64, to: i64, rows: Vec<StoredRow>) {
        let (from, to) = (at(from), at(to));
        self.write(RowBatch {
            from,
            to,
            rows,
            parked: Parked::default(),
        })
        .await;
    }

    async fn write(&self, batch: RowBatch) {
        let batch = Arc::new(batch);
        let timeline = self.storage.write(Arc::clone(&batch)).await.unwrap();
        self.handle.offer(batch, timeline);
    }

    /// The document of a bucket that is filled.
    async fn get(&self, id: Uuid) -> CachedDocument {
        self.look_up(id).await.unwrap()
    }

    async fn look_up(&self, id: Uuid) -> Option<CachedDocument> {
        let cached = self
            .documents
            .get(1, "tally", GENERATION.number, 1, id)
            .await;
        cached.unwrap()
    }

    async fn catch_up(&mut self) {
        self.writer.catch_up(false).await.unwrap();
    }
}

async fn delete(connection: &mut redis::aio::MultiplexedConnection, key: &str) {
    let _: () = redis::cmd("DEL")
        .arg(key)
        .query_async(connection)
        .await
        .unwrap();
}

fn row(id: Uuid, document: &str, position: i64) -> StoredRow {
    StoredRow {
        id,
        document: (!document.is_empty()).then(|| document.to_owned()),
        position,
        columns: Vec::new(),
    }
}

fn cached(document: &str, position: i64, checkpoint: i64) -> CachedDocument {
    let document = (!document.is_empty()).then(|| document.to_owned());
    CachedDocument {
        position,
        checkpoint,
        document,
    }
}

#[tokio::test]
async fn documents_in_redis_follow_the_rows() {
    let mut case = Case::new("follow", 10_000).await;
    assert_eq!(case.look_up(CATEGORY.0).await, None, "not filled");
    let rows = (1..=5).map(|id| row(Uuid::from_u128(id), "{}", 1));
    case.commit(0, 1, rows.collect()).await;
    case.catch_up().await;
    case.commit(
        1,
        2,
        vec![row(CATEGORY.0, r#"{"a": 1}"#, 2), row(REMOVED, "{}", 2)],
    )
    .await;
    case.commit(2, 4, vec![row(REMOVED, "", 3)]).await;
    case.catch_up().await;
    assert_eq!(case.get(CATEGORY.0).await, cached(r#"{"a": 1}"#, 2, 4));
    assert_eq!(case.get(Uuid::from_u128(5)).await, cached("{}", 1, 4));
    assert_eq!(case.get(REMOVED).await, cached("", 3, 4), "a tombstone");
    assert_eq!(
        case.get(Uuid::from_u128(99)).await,
        cached("", 0, 4),
        "there is no such row"
    );
}

#[tokio::test]
async fn a_bucket_is_filled_with_the_rows_of_its_shard() {
    let case = Case::new("shard_fill", 10_000).await;
    case.database.divide_tally(2).await;
    let (even, odd) = (Uuid::from_u128(4), Uuid::from_u128(5));
    for (id, shard) in [even, odd].into_iter().zip(Shard::all(2)) {
        let pool = PgPool::clone(&case.database.pool);
        let timeout = Duration::from_secs(10);
        let build = "test".into();
        let storage = Storage::new::<Tally>(pool, timeout, GENERATION, shard, build);
        let rows = vec![row(id, "{}", 3)];
        let batch = RowBatch {
            from: at(0),
            to: at(3 + i64::from(shard.number)),
            rows,
            parked: Parked::default(),
        };
        storage.write(Arc::new(batch)).await.unwrap();
        let settings = case.database.config(&[]).redis;
        let documents = case.documents.clone();
        let (handle, mut writer) = RedisWriter::new("tally", storage, documents, &settings);
        handle.start_at(at(0), 1);
        writer.catch_up(false).await.unwrap();
    }
    let get = async |id| {
        case.documents
            .get(1, "tally", GENERATION.number, 2, id)
            .await
            .unwrap()
    };
    assert_eq!(get(even).await, Some(cached("{}", 3, 3)));
    assert_eq!(get(odd).await, Some(cached("{}", 3, 4)));
    let misplaced = case
        .documents
        .get(1, "tally", GENERATION.number, 1, odd)
        .await;
    assert_eq!(
        misplaced.unwrap(),
        Some(cached("", 0, 3)),
        "the other shard has it"
    );
}

#[tokio::test]
async fn after_a_fork_documents_are_in_a_bucket_of_the_new_timeline_alone() {
    let mut case = Case::new("forked", 10_000).await;
    case.commit(0, 1, vec![row(CATEGORY.0, "{}", 1), row(REMOVED, "{}", 1)])
        .await;
    case.catch_up().await;
    let fork = "insert into timelines values (2, 1, 1); update log_head set timeline = 2";
    sqlx::raw_sql(fork)
        .execute(&case.database.owner)
        .await
        .unwrap();
    case.commit(1, 2, vec![row(CATEGORY.0, r#"{"a":2}"#, 2)])
        .await;
    case.catch_up().await;
    let get = async |id| {
        let documents = &case.documents;
        let found = documents.get(2, "tally", GENERATION.number, 1, id).await;
        found.unwrap()
    };
    assert_eq!(get(CATEGORY.0).await, Some(cached(r#"{"a":2}"#, 2, 2)));
    assert_eq!(get(REMOVED).await, Some(cached("{}", 1, 2)));
    assert_eq!(case.look_up(CATEGORY.0).await, None, "the old bucket");
}

#[tokio::test]
async fn a_bucket_that_redis_lost_is_filled_again() {
    let mut case = Case::new("lost", 10_000).await;
    case.commit(0, 1, vec![row(CATEGORY.0, "{}", 1)]).await;
    case.catch_up().await;
    let key = case.key.clone();

    delete(&mut case.raw, &key).await;
    assert_eq!(case.look_up(CATEGORY.0).await, None);
    case.writer.catch_up(true).await.unwrap();
    assert_eq!(
        case.get(CATEGORY.0).await,
        cached("{}", 1, 1),
        "the check of a quiet bucket finds it"
    );

    delete(&mut case.raw, &key).await;
    case.commit(1, 2, vec![]).await;
    case.catch_up().await;
    assert_eq!(
        case.get(CATEGORY.0).await,
        cached("{}", 1, 2),
        "the next batch finds it"
    );
}

#[tokio::test]
async fn a_batch_that_a_full_queue_drops_is_read_back_from_the_rows() {
    let mut case = Case::new("dropped", 150).await;
    case.commit(0, 1, vec![row(CATEGORY.0, "{}", 1)]).await;
    case.catch_up().await;
    case.commit(1, 2, vec![row(CATEGORY.0, r#"{"a":2}"#, 2)])
        .await;
    case.commit(
        2,
        3,
        vec![row(CATEGORY.0, r#"{"a":3}"#, 3), row(REMOVED, "{}", 3)],
    )
    .await;
    case.catch_up().await;
    assert_eq!(case.get(CATEGORY.0).await, cached(r#"{"a":3}"#, 3, 3));

    case.commit(3, 4, vec![]).await;
    case.commit(4, 5, vec![row(REMOVED, "", 5)]).await;
    case.catch_up().await;
    assert_eq!(
        case.get(REMOVED).await,
        cached("", 0, 5),
        "the removal is read back too"
    );
    assert_eq!(case.get(CATEGORY.0).await, cached(r#"{"a":3}"#, 3, 5));
}

#[tokio::test]
async fn a_bucket_that_is_ahead_of_the_rows_is_filled_anew() {
    let mut case = Case::new("ahead", 10_000).await;
    case.commit(0, 1, vec![row(CATEGORY.0, "{}", 1)]).await;
    let bucket = case
        .documents
        .bucket(1, "tally", GENERATION.number, Shard::ONLY);
    let filling = Uuid::from_u128(1);
    bucket.start_filling(filling).await.unwrap();
    let wrong = [row(CATEGORY.0, r#"{"wrong":1}"#, 70)];
    assert!(
        bucket
            .write(Guard::Filling(filling), &wrong, Some(at(70)))
            .await
            .unwrap()
    );
    case.catch_up().await;
    assert_eq!(case.get(CATEGORY.0).await, cached("{}", 1, 1));
}

#[tokio::test]
async fn a_writer_that_was_overtaken_changes_nothing() {
    let mut case = Case::new("stale", 10_000).await;
    case.commit(0, 5, vec![row(CATEGORY.0, "{}", 5)]).await;
    case.catch_up().await;
    let bucket = case
        .documents
        .bucket(1, "tally", GENERATION.number, Shard::ONLY);
    let stale = RowBatch {
        from: at(3),
        to: at(6),
        rows: vec![row(CATEGORY.0, r#"{"stale":1}"#, 6)],
        parked: Parked::default(),
    };
    assert!(!bucket.apply(&stale, case.writer.script).await.unwrap());
    let older = [row(CATEGORY.0, r#"{"older":1}"#, 4)];
    assert!(
        bucket
            .write(Guard::Checkpoint(at(5)), &older, None)
            .await
            .unwrap()
    );
    assert_eq!(case.get(CATEGORY.0).await, cached("{}", 5, 5));

    let [first, second] = [1, 2].map(Uuid::from_u128);
    bucket.start_filling(first).await.unwrap();
    bucket.start_filling(second).await.unwrap();
    assert!(
        !bucket
            .write(Guard::Filling(first), &older, Some(at(9)))
            .await
            .unwrap()
    );
    assert_eq!(
        case.look_up(CATEGORY.0).await,
        None,
        "a bucket that is not filled to the end answers nothing"
    );
}

#[tokio::test]
async fn a_refill_reads_no_more_documents_at_once_than_one_script_may_write() {
    let mut case = Case::new("refill_bytes", 0).await;
    let ids = (1..=5).map(Uuid::from_u128);
    let rows = ids.clone().map(|id| row(id, r#"{"a": 1}"#, 1));
    case.commit(0, 1, rows.collect()).await;
    for (bytes_max, expected) in [(1, 1), (8, 1), (9, 2), (99, 5)] {
        let changed = case.storage.changed((0, Uuid::max()), 9, bytes_max);
        assert_eq!(changed.await.unwrap().len(), expected);
    }
    case.writer.script.bytes = 9;
    case.catch_up().await;
    for id in ids {
        assert_eq!(case.get(id).await, cached(r#"{"a": 1}"#, 1, 1));
    }
}
