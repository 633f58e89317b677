//! Queries that fail or wait, and a Redis that helps nobody.

use futures::future::join_all;
use serde_json::json;
use tidemark_tests::{App, Process, RedisServer, eventually};

#[tokio::test]
async fn requests_that_fail_and_pools_that_are_used_up_are_measured() {
    let app = App::builder()
        .set("TIDEMARK_REDIS__URL", "")
        .set("TIDEMARK_QUERY__LIST_CONNECTIONS", 1)
        .start()
        .await;
    let queries = app.spawn_query_api().await;
    let reader = app.client.via_query_api(&queries.url);
    reader.get("/v1/auctions").await.ok();
    let (busy, lists) = ("tidemark_pool_connections", "pool=\"lists\",state=\"busy\"");
    queries.measures(busy, lists, |it| it == 0.0).await;
    let most = queries.measured("tidemark_pool_connections_max").await;
    let most = most["{pool=\"lists\"}"];
    let failed = "tidemark_http_request_duration_seconds_count";
    let is_failed = async || {
        let requests = queries.measured(failed).await;
        requests
            .keys()
            .any(|labels| labels.contains("status=\"5xx\""))
    };
    assert!(!is_failed().await);

    let mut lock = app.database.pool.begin().await.unwrap();
    sqlx::query("lock table auction_rows in access exclusive mode")
        .execute(&mut *lock)
        .await
        .unwrap();
    let waiting = join_all((0..4).map(|_| reader.get("/v1/auctions")));
    let measured = async {
        queries.measures(busy, lists, |it| it >= most).await;
    };
    let (answers, ()) = tokio::join!(waiting, measured);
    assert!(answers.iter().all(|it| it.status == 503), "{answers:?}");
    assert!(is_failed().await);
    lock.rollback().await.unwrap();
    reader.get("/v1/auctions").await.ok();
    queries.measures(busy, lists, |it| it == 0.0).await;
}

/// Waits until the query API says of Redis whether it has given it up, while somebody reads an auction.
async fn given_up(queries: &Process, read: impl AsyncFn(), is_so: fn(f64) -> bool) {
    eventually("Redis to be given up, or asked again", || async {
        read().await;
        let measured = queries.measured("tidemark_query_redis_given_up").await;
        is_so(measured[""]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_redis_that_takes_no_documents_or_hangs_is_measured_until_it_is_back() {
    let redis = RedisServer::start().await;
    let app = App::builder()
        .set("TIDEMARK_REDIS__URL", redis.url())
        .set("TIDEMARK_REDIS__CHECK_MS", 100)
        .set("TIDEMARK_QUERY__HOT_CACHE_MS", 0)
        .start()
        .await;
    let (projector, queries) = (app.spawn_projector().await, app.spawn_query_api().await);
    let buyer = app.user().await;
    let auction = app.market().await.auction(json!({})).await;
    app.settle().await;
    let (up, of_auctions) = ("tidemark_redis_writer_up", "read_model=\"auction\"");
    projector.measures(up, of_auctions, |it| it > 0.0).await;
    redis.refuse_writes(true).await;
    buyer.bid(auction, 1_000).await.ok();
    projector.measures(up, of_auctions, |it| it == 0.0).await;
    redis.refuse_writes(false).await;
    projector.measures(up, of_auctions, |it| it > 0.0).await;

    let path = format!("/v1/auctions/{auction}");
    let reader = app.client.via_query_api(&queries.url);
    let read = async || drop(reader.get(&path).await.ok());
    given_up(&queries, read, |it| it == 0.0).await;
    redis.suspend().await;
    given_up(&queries, read, |it| it > 0.0).await;
    redis.resume().await;
    given_up(&queries, read, |it| it == 0.0).await;
}
