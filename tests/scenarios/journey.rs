//! One command on its way through every part, from the command API to the document of a read model.

use serde_json::json;
use tidemark_tests::App;

#[tokio::test]
async fn a_bid_becomes_an_event_a_record_a_row_and_a_document() {
    let app = App::start_all().await;
    let market = app.market().await;
    let auction = market.auction(json!({})).await;
    let buyer = app.user().await;
    let bid = buyer.bid(auction, 1_000).await.ok();
    assert_eq!(bid.position(), app.database.head().await);

    let path = format!("/v1/auctions/{auction}");
    let read = buyer.with_tidemark(bid.tidemark()).get(&path).await.ok();
    assert_eq!(read.body["bid_count"], 1, "{read:?}");
    app.settle().await;
}
