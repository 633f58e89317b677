//! Auctions from their scheduling to their end: each of their states allows some commands, and refuses
//! all others.

use serde_json::json;
use tidemark_tests::App;
use tidemark_tests::eventually;
use tidemark_tests::market::{STARTING_PRICE, eur};
use uuid::Uuid;

#[tokio::test]
async fn a_product_is_in_one_auction_at_a_time() {
    let app = App::start().await;
    let market = app.market().await;
    let seller = &market.seller;
    let id = market.listed().await;
    let terms = market.terms(id, json!({})).await;
    let stranger = app.seller().await;
    stranger
        .post("/v1/auctions", &terms)
        .await
        .problem(403, "not_the_seller");
    let first = seller.post("/v1/auctions", &terms).await.ok().id();
    seller
        .post("/v1/auctions", &terms)
        .await
        .problem(409, "product_already_auctioned");
    let withdraw = format!("/v1/products/{id}/withdraw");
    seller
        .post_empty(&withdraw)
        .await
        .problem(409, "product_already_auctioned");

    let cancel = format!("/v1/auctions/{first}/cancel");
    stranger
        .post_empty(&cancel)
        .await
        .problem(403, "not_the_seller");
    seller.post_empty(&cancel).await.ok();
    seller
        .post_empty(&cancel)
        .await
        .problem(409, "auction_over");
    let second = seller.post("/v1/auctions", &terms).await.ok().id();
    app.user()
        .await
        .bid(first, STARTING_PRICE)
        .await
        .problem(409, "auction_over");
    app.user().await.bid(second, STARTING_PRICE).await.ok();
    let cancel = format!("/v1/auctions/{second}/cancel");
    seller
        .post_empty(&cancel)
        .await
        .problem(409, "auction_has_bids");
}

#[tokio::test]
async fn buying_now_sells_the_product_for_ever() {
    let app = App::start().await;
    let market = app.market().await;
    let seller = &market.seller;
    let id = market.listed().await;
    let terms = market.terms(id, json!({"buy_now_price": 9_000})).await;
    let auction = seller.post("/v1/auctions", &terms).await.ok().id();
    let (ida, otto) = (app.user().await, app.user().await);
    let buy_now = format!("/v1/auctions/{auction}/buy-now");
    let bought = ida.post_empty(&buy_now).await.ok();

    let written: Vec<String> =
        sqlx::query_scalar("select type from events order by position desc limit 4")
            .fetch_all(&app.database.pool)
            .await
            .unwrap();
    // All four events are written together, and the answer names the last one.
    let expected = [
        "product.sold",
        "auction.closed",
        "auction.bought_now",
        "auction.opened",
    ];
    assert_eq!(written, expected);
    assert_eq!(bought.position(), app.database.head().await);

    let head = app.database.head().await;
    otto.post_empty(&buy_now).await.problem(409, "auction_over");
    otto.bid(auction, 20_000).await.problem(409, "auction_over");
    seller
        .post("/v1/auctions", &terms)
        .await
        .problem(409, "product_sold");
    for action in ["list", "withdraw"] {
        let path = format!("/v1/products/{id}/{action}");
        seller.post_empty(&path).await.problem(409, "product_sold");
    }
    assert_eq!(app.database.head().await, head);
}

#[tokio::test]
async fn a_bid_ends_the_offer_to_buy_now() {
    let app = App::start().await;
    let market = app.market().await;
    let buyer = app.user().await;
    let auction = market.auction(json!({"buy_now_price": 9_000})).await;
    let without = market.auction(json!({})).await;
    let buy_now = |id: Uuid| format!("/v1/auctions/{id}/buy-now");
    buyer
        .post_empty(&buy_now(without))
        .await
        .problem(409, "no_buy_now_price");
    buyer.bid(auction, STARTING_PRICE).await.ok();
    buyer
        .post_empty(&buy_now(auction))
        .await
        .problem(409, "auction_has_bids");
}

#[tokio::test]
async fn impossible_terms_are_refused() {
    let app = App::start().await;
    let market = app.market().await;
    let id = market.listed().await;
    let at = async |seconds: i64| app.database.in_seconds(seconds).await;
    let head = app.database.head().await;
    for (terms, code, field) in [
        (
            json!({"starting_price": eur(0)}),
            "invalid",
            "/starting_price/amount",
        ),
        (
            json!({"reserve_price": STARTING_PRICE - 1}),
            "reserve_too_low",
            "/reserve_price",
        ),
        (
            json!({"buy_now_price": STARTING_PRICE}),
            "buy_now_too_low",
            "/buy_now_price",
        ),
        (
            json!({"buy_now_price": 4_999, "reserve_price": 5_000}),
            "buy_now_too_low",
            "/buy_now_price",
        ),
        (
            json!({"starts_at": at(-60).await}),
            "starts_in_the_past",
            "/starts_at",
        ),
        (
            json!({"ends_at": at(-1).await}),
            "duration_out_of_range",
            "/ends_at",
        ),
        (
            json!({"ends_at": at(31 * 86_400).await}),
            "duration_out_of_range",
            "/ends_at",
        ),
        (
            json!({"ends_at": at(731 * 86_400).await}),
            "too_far_ahead",
            "/ends_at",
        ),
        (
            json!({"starts_at": at(731 * 86_400).await, "ends_at": at(86_400).await}),
            "too_far_ahead",
            "/starts_at",
        ),
        (
            json!({"starts_at": at(60).await, "ends_at": at(60).await}),
            "duration_out_of_range",
            "/ends_at",
        ),
    ] {
        let body = market.terms(id, terms).await;
        let answer = market.seller.post("/v1/auctions", &body).await;
        answer.problem(422, code);
        assert_eq!(answer.pointers(), [field], "{answer:?}");
    }
    assert_eq!(app.database.head().await, head);
}

#[tokio::test]
async fn an_auction_without_enough_bids_frees_its_product() {
    let app = App::start().await;
    let market = app.market().await;
    let (timer, buyer) = (app.reactor("auction-timer"), app.user().await);
    for (bid, expected) in [
        (None, "unsold"),
        (Some(4_999), "reserve_not_met"),
        (Some(5_000), "sold"),
    ] {
        let id = market.listed().await;
        let soon = json!({"reserve_price": 5_000, "ends_at": app.database.in_seconds(3).await});
        let terms = market.terms(id, soon).await;
        let auction = market.seller.post("/v1/auctions", &terms).await.ok().id();
        if let Some(amount) = bid {
            buyer.bid(auction, amount).await.ok();
        }
        let path = format!("/v1/auctions/{auction}/close");
        eventually("the end of an auction", || async {
            timer.post_empty(&path).await.is_ok().then_some(())
        })
        .await;
        timer.post_empty(&path).await.problem(409, "auction_over");
        let result: String = sqlx::query_scalar(
            "
            select data->'outcome'->>'result'
              from events
             where stream_id = $1
               and type = 'auction.closed'
            ",
        )
        .bind(auction)
        .fetch_one(&app.database.pool)
        .await
        .unwrap();
        assert_eq!(result, expected);
        let again = market.terms(id, json!({})).await;
        let answer = market.seller.post("/v1/auctions", &again).await;
        if expected == "sold" {
            answer.problem(409, "product_sold");
        } else {
            answer.ok();
        }
    }
}

#[tokio::test]
async fn an_auction_opens_once() {
    let app = App::start().await;
    let market = app.market().await;
    let auction = market.auction(json!({})).await;
    let timer = app.reactor("auction-timer");
    let path = format!("/v1/auctions/{auction}/open");
    timer.post_empty(&path).await.ok();
    timer
        .post_empty(&path)
        .await
        .problem(409, "auction_already_open");
}
