//! A Redis that takes no documents any more, or answers nothing, makes answers neither old nor slow.

use std::time::{Duration, Instant};

use futures::future::join_all;
use redis::AsyncCommands;
use serde_json::json;
use tidemark_read_models::market::auction::Auction;
use tidemark_tests::{App, RedisServer, eventually};

use super::replay::buckets;

/// How long a command of Redis may take.
const TIMEOUT: Duration = Duration::from_secs(4);
/// For how long none is sent after one in vain.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a query may take on a busy machine, of which it may wait 50 ms for Redis. So long each took when Redis was waited
/// for.
const QUERY_MAX: Duration = Duration::from_millis(500);

async fn with_redis(redis: &RedisServer) -> App {
    App::builder()
        .projector()
        .queries()
        .set("TIDEMARK_REDIS__URL", redis.url())
        .set("TIDEMARK_REDIS__CHECK_MS", 100)
        .set("TIDEMARK_REDIS__RESPONSE_TIMEOUT_MS", TIMEOUT.as_millis())
        .set("TIDEMARK_REDIS__BREAKER_FAILURES", 1)
        .set("TIDEMARK_REDIS__BREAKER_OPEN_MS", PAUSE.as_millis())
        .set("TIDEMARK_QUERY__HOT_CACHE_MS", 0)
        .set("TIDEMARK_QUERY__WATCH_IDLE_MS", 50)
        .set("TIDEMARK_QUERY__HOT_LAG_MAX_MS", 500)
        .start()
        .await
}

/// Waits until Redis has all that happened to auctions.
async fn documents_are_up_to_date(app: &App, redis: &RedisServer) {
    app.settle().await;
    let bucket = buckets::<Auction>(app).await;
    let head = app.database.log().end().await.unwrap();
    let checkpoint = format!("{} {}", head.position, head.event_id.unwrap());
    eventually("Redis to be up to date", || async {
        let found: Option<String> = redis
            .connect()
            .await
            .hget(&bucket[0], "@checkpoint")
            .await
            .unwrap();
        (found.as_ref() == Some(&checkpoint)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn documents_of_a_redis_that_refuses_writes_are_not_shown_when_they_are_old() {
    let redis = RedisServer::start().await;
    let app = with_redis(&redis).await;
    let (market, buyer) = (app.market().await, app.user().await);
    let auction = market.auction(json!({})).await;
    let path = format!("/v1/auctions/{auction}");
    let shown = async || app.client.get(&path).await.ok().body["current_price"]["amount"].clone();
    buyer.bid(auction, 1_000).await.ok();
    documents_are_up_to_date(&app, &redis).await;

    redis.refuse_writes(true).await;
    buyer.bid(auction, 2_000).await.ok();
    app.settle().await;
    eventually("the new price", || async {
        (shown().await == 2_000).then_some(())
    })
    .await;
    for _ in 0..100 {
        assert_eq!(shown().await, 2_000);
    }

    redis.refuse_writes(false).await;
    documents_are_up_to_date(&app, &redis).await;
}

#[tokio::test]
async fn a_redis_that_hangs_costs_no_query_more_than_a_moment() {
    const CLIENTS: usize = 3;
    let redis = RedisServer::start().await;
    let app = with_redis(&redis).await;
    let market = app.market().await;
    let path = format!("/v1/auctions/{}", market.auction(json!({})).await);
    documents_are_up_to_date(&app, &redis).await;
    let is_asked = async || {
        let before = redis.reads().await;
        app.client.get(&path).await.ok();
        redis.reads().await > before
    };
    eventually("Redis to be asked", || async {
        is_asked().await.then_some(())
    })
    .await;

    redis.suspend().await;
    // The first commands fail after the timeout. After the pause Redis is asked whether it is back.
    let end = Instant::now() + TIMEOUT + 2 * PAUSE;
    let slowest = async || {
        let mut slowest = Duration::ZERO;
        while Instant::now() < end {
            let began = Instant::now();
            app.client.get(&path).await.ok();
            slowest = slowest.max(began.elapsed());
        }
        slowest
    };
    let slowest = join_all((0..CLIENTS).map(|_| slowest())).await;
    assert!(
        slowest.iter().all(|it| *it < QUERY_MAX),
        "queries waited for Redis: {slowest:?}"
    );

    redis.resume().await;
    eventually("Redis to be asked again", || async {
        is_asked().await.then_some(())
    })
    .await;
}
