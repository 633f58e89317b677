//! A load of commands that changes every read model.

use futures::future::join_all;
use serde_json::json;
use tidemark_tests::{App, Market, User};
use tokio_util::sync::CancellationToken;

use crate::tasks::cancelled_run;

const MARKETS: usize = 3;
const BIDS: i64 = 4;

/// Trades until `stop`, in several markets at once.
pub(super) async fn trade(app: &App, stop: &CancellationToken) {
    join_all((0..MARKETS).map(|_| trade_in_a_market(app, stop))).await;
}

async fn trade_in_a_market(app: &App, stop: &CancellationToken) {
    let (market, buyer) = (app.market().await, app.user().await);
    cancelled_run(&buyer).await;
    app.unreachable_user().await;
    app.template().await;
    while !stop.is_cancelled() {
        app.category(Some(market.category_id)).await;
        market.draft().await;
        bid(&market, &buyer).await;
        market.notification(buyer.id).await;
        let sold = market.auction(json!({"buy_now_price": 9_000})).await;
        buyer.watch(sold).await.ok();
        let path = format!("/v1/auctions/{sold}/buy-now");
        buyer.post_empty(&path).await.ok();
        let cancelled = market.auction(json!({})).await;
        let path = format!("/v1/auctions/{cancelled}/cancel");
        market.seller.post_empty(&path).await.ok();
    }
}

async fn bid(market: &Market<'_>, buyer: &User) {
    let auction = market.auction(json!({"reserve_price": 1_200})).await;
    for step in 0..BIDS {
        buyer.bid(auction, 1_000 + 100 * step).await.ok();
    }
}
