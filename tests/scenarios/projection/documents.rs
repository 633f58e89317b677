//! Answers are right although Redis loses its documents or is away, and lost documents come back.

use redis::AsyncCommands;
use serde_json::json;
use tidemark_read_models::market::auction::Auction;
use tidemark_read_models::market::product::Product;
use tidemark_tests::App;

use super::replay::{assert_documents, buckets, redis};

/// An address at which nothing listens.
const NOWHERE: &str = "redis://127.0.0.1:1";

#[tokio::test]
async fn lost_documents_are_filled_again_and_answers_are_right_meanwhile() {
    let app = App::builder()
        .relay()
        .projector()
        .queries()
        .set("TIDEMARK_REDIS__CHECK_MS", 100)
        .start()
        .await;
    let (market, buyer) = (app.market().await, app.user().await);
    let auction = market.auction(json!({})).await;
    let quiet = market.auction(json!({})).await;
    app.settle().await;
    assert_documents(&app).await;
    let mut redis = redis(&app).await;
    let buckets = [
        buckets::<Auction>(&app).await,
        buckets::<Product>(&app).await,
    ]
    .concat();
    for step in 0..20 {
        let lost: i64 = redis.del(&buckets).await.unwrap();
        assert!(lost > 0 || step > 0, "Redis held no documents before");
        let bid = buyer.bid(auction, 1_000 + 100 * step).await.ok();
        let seen = buyer.with_tidemark(bid.tidemark());
        let read = seen.get(&format!("/v1/auctions/{auction}")).await.ok();
        assert_eq!(read.body["bid_count"], step + 1);
        let other = seen.get(&format!("/v1/auctions/{quiet}")).await.ok();
        assert_eq!(other.body["bid_count"], 0);
    }
    app.settle().await;
    assert_documents(&app).await;
    // The documents come back even if no event follows.
    let _: i64 = redis.del(&buckets).await.unwrap();
    assert_documents(&app).await;
}

#[tokio::test]
async fn without_redis_the_rows_answer() {
    let app = App::builder()
        .projector()
        .queries()
        .set("TIDEMARK_REDIS__URL", NOWHERE)
        .start()
        .await;
    let (market, buyer) = (app.market().await, app.user().await);
    let auction = market.auction(json!({})).await;
    for step in 0..5 {
        let bid = buyer.bid(auction, 1_000 + 100 * step).await.ok();
        let path = format!("/v1/auctions/{auction}");
        let read = buyer.with_tidemark(bid.tidemark()).get(&path).await.ok();
        assert_eq!(read.body["bid_count"], step + 1);
        let product = read.body["product_id"].as_str().unwrap();
        app.client
            .get(&format!("/v1/products/{product}"))
            .await
            .ok();
    }
    app.settle().await;
}
