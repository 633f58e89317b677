//! Compares the rows and documents of all read models with those that a replay from zero makes.

use std::collections::BTreeMap;

use redis::AsyncCommands;
use tidemark_events::Recorded;
use tidemark_read_models::audit::history::History;
use tidemark_read_models::identity::profile::Profile;
use tidemark_read_models::market::auction::Auction;
use tidemark_read_models::market::bid::Bid;
use tidemark_read_models::market::category::Category;
use tidemark_read_models::market::product::Product;
use tidemark_read_models::{ReadModel, Shard, for_each_read_model};
use tidemark_tests::eventually;
use tidemark_tests::{App, replay};

/// The read models of which every scenario that compares makes rows. Of others it compares what there is.
const ALWAYS_WITH_ROWS: [&str; 6] = [
    Auction::NAME,
    Bid::NAME,
    Category::NAME,
    History::NAME,
    Product::NAME,
    Profile::NAME,
];

/// Fails unless every row of every read model is, byte for byte, what a replay from zero makes.
pub(crate) async fn assert_rows(app: &App) {
    assert_eq!(differences(app).await, Vec::<String>::new());
}

/// The rows that differ from those of a replay from zero, one line each.
pub(super) async fn differences(app: &App) -> Vec<String> {
    let events = app.database.log().page(0, i64::MAX).await.unwrap();
    for_each_read_model!(differences_of(app, &events).await).concat()
}

/// Fails unless a replay from zero makes rows of every read model.
pub(super) async fn assert_all_have_rows(app: &App) {
    let events = app.database.log().page(0, i64::MAX).await.unwrap();
    for_each_read_model!(assert_has_rows(&events));
}

fn assert_has_rows<M: ReadModel>(events: &[Recorded]) {
    let rows = replay::replay::<M>(events);
    assert!(!rows.is_empty(), "{} has no rows", M::NAME);
}

/// Waits until every document in Redis equals its row, and every bucket has applied the whole log.
pub(super) async fn assert_documents(app: &App) {
    for_each_read_model!(assert_buckets(app).await);
}

async fn differences_of<M: ReadModel>(app: &App, events: &[Recorded]) -> Vec<String> {
    let expected = replay::replay::<M>(events);
    if ALWAYS_WITH_ROWS.contains(&M::NAME) {
        assert!(!expected.is_empty(), "{} has no rows", M::NAME);
    }
    replay::differences::<M>(&expected, &replay::rows::<M>(&app.database.pool).await)
}

/// The Redis keys of the hashes that hold the documents of a read model, one per shard.
pub(super) async fn buckets<M: ReadModel>(app: &App) -> Vec<String> {
    let sql = "select timeline, generation, shards
                 from generations, log_head
                where read_model = $1 and state = 'serving'";
    let (timeline, generation, shards): (i32, i32, i32) = sqlx::query_as(sql)
        .bind(M::NAME)
        .fetch_one(&app.database.pool)
        .await
        .unwrap();
    let prefix = app.settings.get("TIDEMARK_REDIS__KEY_PREFIX");
    let bucket = |shard| format!("{prefix}:{{{timeline}.{}.{generation}.{shard}}}", M::NAME);
    (0..shards).map(bucket).collect()
}

pub(super) async fn redis(app: &App) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(app.settings.get("TIDEMARK_REDIS__URL")).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

async fn assert_buckets<M: ReadModel>(app: &App) {
    if !M::IN_REDIS {
        return;
    }
    let (redis, buckets) = (redis(app).await, buckets::<M>(app).await);
    let shards = i32::try_from(buckets.len()).unwrap();
    for (shard, bucket) in Shard::all(shards).zip(buckets) {
        let what = format!("the documents in {bucket} to equal their rows");
        eventually(&what, || async {
            let end = app.database.log().end().await.unwrap();
            let rows = replay::rows::<M>(&app.database.pool).await;
            let its_own = rows.iter().filter(|(id, _)| shard.holds(**id));
            let mut expected: BTreeMap<String, String> = its_own
                .map(|(id, (position, doc))| (id.to_string(), format!("{position} {doc}")))
                .collect();
            let checkpoint = format!("{} {}", end.position, end.event_id.unwrap());
            expected.insert("@checkpoint".to_owned(), checkpoint);
            let documents: BTreeMap<String, String> = redis.clone().hgetall(&bucket).await.unwrap();
            (documents == expected).then_some(())
        })
        .await;
    }
}
