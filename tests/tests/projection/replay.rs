//! What a replay from zero makes of the log, row by row.

use std::collections::BTreeMap;

use redis::AsyncCommands;
use tidemark_event_store::Log;
use tidemark_events::Recorded;
use tidemark_read_models::{ReadModel, for_each_read_model, storage::GENERATION};
use tidemark_tests::{App, replay, settle::eventually};

/// Fails unless every row of every read model is what a replay from zero makes of it, byte for byte.
pub(super) async fn assert_rows(app: &App) {
    assert_eq!(differences(app).await, Vec::<String>::new());
}

/// The rows that are not what a replay from zero makes of them.
pub(super) async fn differences(app: &App) -> Vec<String> {
    let log = Log::new(app.database.pool.clone());
    let events = log.page(0, i64::MAX).await.unwrap();
    for_each_read_model!(differences_of(app, &events).await).concat()
}

/// Waits until every document in Redis is as its row, and each bucket has applied the whole log.
pub(super) async fn assert_documents(app: &App) {
    for_each_read_model!(assert_bucket(app).await);
}

async fn differences_of<M: ReadModel>(app: &App, events: &[Recorded]) -> Vec<String> {
    let expected = replay::replay::<M>(events);
    assert!(!expected.is_empty(), "{} has no rows", M::NAME);
    replay::differences::<M>(&expected, &replay::rows::<M>(&app.database.pool).await)
}

/// Where the documents of a read model are.
pub(super) fn bucket<M: ReadModel>(app: &App) -> String {
    let prefix = app.settings.get("TIDEMARK_REDIS__KEY_PREFIX");
    format!("{prefix}:{{{}.{GENERATION}.0}}", M::NAME)
}

pub(super) async fn redis(app: &App) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(app.settings.get("TIDEMARK_REDIS__URL")).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

async fn assert_bucket<M: ReadModel>(app: &App) {
    if !M::HOT {
        return;
    }
    let mut expected: BTreeMap<String, String> = replay::rows::<M>(&app.database.pool)
        .await
        .into_iter()
        .map(|(id, (position, doc))| (id.to_string(), format!("{position} {doc}")))
        .collect();
    let head = app.database.head().await.to_string();
    expected.insert("@checkpoint".to_owned(), head);
    let (redis, bucket) = (redis(app).await, bucket::<M>(app));
    let what = format!("the documents of {} to be its rows", M::NAME);
    eventually(&what, || async {
        let documents: BTreeMap<String, String> = redis.clone().hgetall(&bucket).await.unwrap();
        (documents == expected).then_some(())
    })
    .await;
}
