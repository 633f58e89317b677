//! Documents from Redis and from memory: when they are given, waited for, and not used.

use std::pin::pin;
use std::time::Duration;

use serde_json::json;
use tidemark_event_store::testing::from_environment;
use tidemark_events::LogPoint;
use tidemark_read_models::market::auction::Auction;
use tidemark_read_models::redis::{Bucket, Documents, Guard};
use tidemark_read_models::storage::StoredRow;
use tidemark_read_models::{ReadModel, Shard};
use tokio::time::timeout;
use uuid::Uuid;

use super::freshness::{PATH, SHORT_WAIT, with_an_auction};
use super::harness::{Api, Database};

/// The documents of auctions in Redis.
fn auctions_in_redis(database: &Database) -> Bucket {
    let url = from_environment("TIDEMARK_REDIS__URL");
    let documents = Documents::new(&url, &database.name, Duration::from_secs(1)).unwrap();
    documents.bucket(1, Auction::NAME, 1, Shard::ONLY)
}

/// Writes the document of auction 1 to Redis as the Redis writer does.
async fn write_to_redis(bucket: &Bucket, position: i64, version: u64, checkpoint: i64) {
    let filling = Uuid::from_u128(1);
    bucket.start_filling(filling).await.unwrap();
    let row = auction_row(position, version);
    let guard = Guard::Filling(filling);
    assert!(
        bucket
            .write(guard, &[row], Some(point(checkpoint)))
            .await
            .unwrap()
    );
}

fn auction_row(position: i64, version: u64) -> StoredRow {
    StoredRow {
        id: Uuid::from_u128(1),
        position,
        document: Some(format!(r#"{{"version":{version}}}"#)),
        columns: Vec::new(),
    }
}

const fn point(position: i64) -> LogPoint {
    LogPoint {
        position,
        event_id: None,
    }
}

/// What it read in Redis stays in memory for an hour.
const KEPT: (&str, &str) = ("TIDEMARK_QUERY__HOT_CACHE_MS", "3600000");

/// An API that reads Redis too.
async fn with_redis(database: &Database, settings: &[(&str, &str)]) -> Api {
    let url = from_environment("TIDEMARK_REDIS__URL");
    let redis = [
        ("TIDEMARK_REDIS__URL", &*url),
        ("TIDEMARK_REDIS__KEY_PREFIX", &database.name),
        SHORT_WAIT[0],
    ];
    Api::start(database, &[&redis, settings].concat()).await
}

#[tokio::test]
async fn redis_answers_where_it_is_fresh_enough() {
    let database = with_an_auction("redis").await;
    write_to_redis(&auctions_in_redis(&database), 7, 42, 6).await;
    let api = with_redis(&database, &[("TIDEMARK_QUERY__HOT_CACHE_MS", "100")]).await;
    let ask = async |token| api.get(PATH, &[("tidemark", token)]).await;
    // The process asks Redis only once it has seen which generation serves queries.
    while ask("1.5").await.tidemark != "1.7" {}
    assert_eq!(ask("1.7").await.body["version"], 42);
    assert_eq!(ask("1.8").await.problem(), (503, "behind"));
    assert_eq!(api.get(PATH, &[]).await.body["version"], 42);
}

#[tokio::test]
async fn documents_of_an_earlier_timeline_are_not_used() {
    let database = with_an_auction("forked").await;
    write_to_redis(&auctions_in_redis(&database), 7, 42, 6).await;
    let api = with_redis(&database, &[KEPT]).await;
    let ask = async |token| api.get(PATH, &[("tidemark", token)]).await;
    while ask("1.5").await.tidemark != "1.7" {}
    let fork = "insert into timelines values (2, 1, 5); update log_head set timeline = 2";
    database.execute(fork).await;
    assert_eq!(ask("2.5").await.body["version"], 1);
    // The process looks at the timeline from time to time.
    while api.get(PATH, &[]).await.tidemark != "2.5" {}
    assert_eq!(api.get(PATH, &[]).await.body["version"], 1);
    let answer = ask("1.5").await;
    assert_eq!(
        (&*answer.tidemark, &answer.body["version"]),
        ("2.5", &json!(1))
    );
    assert_eq!(ask("1.6").await.problem(), (409, "other_timeline"));
}

#[tokio::test]
async fn documents_in_redis_that_are_too_far_behind_the_rows_are_not_used() {
    let database = with_an_auction("lag").await;
    let (url, bucket) = (
        from_environment("TIDEMARK_REDIS__URL"),
        auctions_in_redis(&database),
    );
    write_to_redis(&bucket, 4, 42, 5).await;
    let settings = [
        ("TIDEMARK_REDIS__URL", &*url),
        ("TIDEMARK_REDIS__KEY_PREFIX", &database.name),
        ("TIDEMARK_QUERY__HOT_CACHE_MS", "3600000"),
        ("TIDEMARK_QUERY__WATCH_IDLE_MS", "20"),
        ("TIDEMARK_QUERY__HOT_LAG_MAX_MS", "100"),
    ];
    let api = Api::start(&database, &settings).await;
    let version =
        async |headers: &[(&str, &str)]| api.get(PATH, headers).await.body["version"].clone();
    while version(&[]).await != 42 {}

    // From then on the document is too far behind, in Redis and in memory.
    database.set_checkpoints(6).await;
    while version(&[]).await == 42 {}
    for _ in 0..20 {
        assert_ne!(version(&[]).await, 42);
        assert_ne!(version(&[("tidemark", "1.5")]).await, 42);
    }

    write_to_redis(&bucket, 4, 43, 6).await;
    assert_eq!(version(&[]).await, 43);
}

#[tokio::test]
async fn a_document_in_memory_is_not_given_for_a_token_that_it_does_not_reflect() {
    let database = with_an_auction("warm").await;
    let bucket = auctions_in_redis(&database);
    write_to_redis(&bucket, 7, 42, 7).await;
    let api = with_redis(&database, &[KEPT]).await;
    let ask = async |token| api.get(PATH, &[("tidemark", token)]).await;
    while ask("1.5").await.tidemark != "1.7" {}

    write_to_redis(&bucket, 9, 43, 9).await;
    let known = api.get(PATH, &[]).await;
    assert_eq!(
        (known.body["version"].as_u64(), &*known.tidemark),
        (Some(42), "1.7")
    );
    let newer = ask("1.8").await;
    assert_eq!(
        (newer.body["version"].as_u64(), &*newer.tidemark),
        (Some(43), "1.9")
    );
    // From now on everybody is given the newer one.
    assert_eq!(api.get(PATH, &[]).await.body["version"], 43);
}

#[tokio::test]
async fn a_document_is_waited_for_that_redis_is_about_to_have() {
    let database = with_an_auction("about").await;
    let bucket = auctions_in_redis(&database);
    write_to_redis(&bucket, 7, 42, 7).await;
    let patient = [
        ("TIDEMARK_QUERY__HOT_WAIT_MS", "60000"),
        ("TIDEMARK_QUERY__HOT_LAG_MAX_MS", "60000"),
    ];
    let api = with_redis(&database, &patient).await;
    let ask = async |token| api.get(PATH, &[("tidemark", token)]).await;
    while ask("1.5").await.tidemark != "1.7" {}

    database.set_checkpoints(9).await;
    let mut answer = pin!(ask("1.9"));
    let early = timeout(Duration::from_millis(300), &mut answer).await;
    assert!(early.is_err(), "the row was read");
    let guard = Guard::Checkpoint(point(7));
    let row = auction_row(9, 43);
    assert!(bucket.write(guard, &[row], Some(point(9))).await.unwrap());
    assert_eq!(answer.await.body["version"], 43);
}

#[tokio::test]
async fn a_document_that_redis_does_not_get_is_read_from_its_row() {
    let database = with_an_auction("never").await;
    write_to_redis(&auctions_in_redis(&database), 7, 42, 7).await;
    let api = with_redis(&database, &[]).await;
    let ask = async |token| api.get(PATH, &[("tidemark", token)]).await;
    while ask("1.5").await.tidemark != "1.7" {}

    database.set_checkpoints(9).await;
    let answer = ask("1.9").await;
    assert_eq!(
        (&*answer.tidemark, &answer.body["version"]),
        ("1.9", &json!(1))
    );
}
