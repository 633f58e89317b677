//! A process whose executor the log does not know registers anew, and uses nothing of what it knew before: the
//! log may have been restored from a backup.

use serde_json::json;
use tidemark_tests::App;
use tidemark_tests::market::{STARTING_PRICE, eur};

#[tokio::test]
async fn no_state_of_before_is_used_after_registering_anew() {
    let app = App::start().await;
    let market = app.market().await;
    let auction = market.auction(json!({})).await;
    let (one, other) = (app.user().await, app.user().await);
    one.bid(auction, STARTING_PRICE * 9).await.ok();

    // Another history, in which the bid was lower. The versions are the same.
    let restored = "
        alter table events disable trigger events_are_for_ever;
        update events
           set data = replace(data::text, '\"amount\":9000', '\"amount\":1000')::json
         where type = 'auction.bid_placed';
        alter table events enable trigger events_are_for_ever;
        delete from executors;
        insert into timelines (id, parent, forked_at) select 2, 1, position from log_head;
        update log_head set timeline = 2;
    ";
    sqlx::raw_sql(restored)
        .execute(&app.database.pool)
        .await
        .unwrap();
    let amount: i64 = sqlx::query_scalar(
        "select (data->'amount'->>'amount')::bigint from events where type = 'auction.bid_placed'",
    )
    .fetch_one(&app.database.pool)
    .await
    .unwrap();
    assert_eq!(amount, STARTING_PRICE);

    app.category(None).await;
    let path = format!("/v1/auctions/{auction}/bids");
    let bid = other
        .post(&path, &json!({"amount": eur(STARTING_PRICE * 2)}))
        .await
        .ok();
    assert!(bid.tidemark().starts_with("2."), "{bid:?}");
}
