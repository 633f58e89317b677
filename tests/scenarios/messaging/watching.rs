//! Users watch auctions, and are told once that these end soon.

use serde_json::{Value, json};
use sqlx::types::chrono::{DateTime, Utc};
use tidemark_tests::{App, Client, MailServer, eventually};
use uuid::Uuid;

use super::mail::{mailing_to, ready};

/// The auctions that a user watches, the last one first.
async fn watched(user: &Client) -> Vec<Value> {
    let page = user.get("/v1/me/watches").await.ok();
    let items = page.body["items"].as_array().unwrap().iter();
    items.map(|it| it["auction_id"].clone()).collect()
}

/// The categories of a user's notifications.
async fn told(user: &Client) -> Vec<Value> {
    let page = user.get("/v1/me/notifications").await.ok();
    let items = page.body["items"].as_array().unwrap().iter();
    items.map(|it| it["category"].clone()).collect()
}

/// The request that tells a user that an auction of this product ends soon.
fn ends_soon(user_id: Uuid, auction_id: Uuid, product_id: Uuid) -> Value {
    json!({
        "user_id": user_id,
        "category": "ends_soon",
        "about": {"kind": "auction", "auction_id": auction_id, "product_id": product_id},
        "dedupe_key": auction_id,
    })
}

#[tokio::test]
async fn who_watches_an_auction_is_told_once_that_it_ends_soon() {
    let mut server = MailServer::start().await;
    let app = mailing_to(&server).set("TIDEMARK_MARKET__ENDS_SOON_S", 30);
    let app = ready(app.start().await).await;
    let (market, user, other) = (app.market().await, app.user().await, app.user().await);
    let ends_at = app.database.in_seconds(40).await;
    let terms = json!({"ends_at": ends_at, "anti_sniping_window_s": 32});
    let auction = market.auction(terms).await;
    for watcher in [&user, &other] {
        watcher.watch(auction).await.ok();
    }
    other.unwatch(auction).await.ok();
    eventually("the user to be told", || async {
        (told(&user).await == ["ends_soon"]).then_some(())
    })
    .await;
    let mail = loop {
        // Those who registered are greeted, too.
        let mail = server.received().await;
        if mail.content.contains("ends soon") {
            break mail;
        }
    };
    assert_eq!(mail.to, [user.email.as_str()]);
    let subject = "Subject: An auction ends soon: Ship's chronometer";
    assert!(mail.content.contains(subject), "{}", mail.content);
    let sql = "select data ->> 'not_after' from events where type = 'message.requested' and data::text like '%ends_soon%'";
    let not_after: String = sqlx::query_scalar(sql)
        .fetch_one(&app.database.pool)
        .await
        .unwrap();
    let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    assert_eq!(time(&not_after), time(&ends_at), "it has ended then");

    // The bid extends the auction, and who watches again was told all the same.
    other.bid(auction, 1_000).await.ok();
    user.unwatch(auction).await.ok();
    user.watch(auction).await.ok();
    let shown = app.client.get(&format!("/v1/auctions/{auction}")).await;
    let product = shown.ok().body["product_id"].clone();
    let product: Uuid = product.as_str().unwrap().parse().unwrap();
    let notifier = app.reactor("auction-notifier");
    let again = ends_soon(user.id, auction, product);
    let again = eventually("the new end to be near", || async {
        let answer = notifier.post("/v1/notifications", &again).await;
        (answer.code() != "not_due").then_some(answer)
    });
    again.await.problem(409, "notification_raised");
    app.settle().await;
    assert_eq!(told(&user).await, ["ends_soon"]);
    assert_eq!(told(&other).await, [""; 0], "who watches no more");
}

#[tokio::test]
async fn nobody_is_told_of_an_end_that_is_far_or_over() {
    let app = App::start().await;
    let (market, user) = (app.market().await, app.user().await);
    let product = market.listed().await;
    let terms = market.terms(product, json!({})).await;
    let auction = market.seller.post("/v1/auctions", &terms).await.ok().id();
    let notifier = app.reactor("auction-notifier");
    let tell = || async {
        let body = ends_soon(user.id, auction, product);
        notifier.post("/v1/notifications", &body).await
    };
    tell().await.problem(409, "notification_moot");
    user.watch(auction).await.ok();
    let early = tell().await;
    early.problem(409, "not_due");
    assert!(early.body["retry_at"].is_string(), "{}", early.text);
    let path = format!("/v1/auctions/{auction}/cancel");
    market.seller.post_empty(&path).await.ok();
    tell().await.problem(409, "notification_moot");
}

#[tokio::test]
async fn users_see_what_they_watch_and_watch_so_many_and_no_more() {
    let app = App::builder().projector().queries();
    let app = app.set("TIDEMARK_MARKET__WATCHED_MAX", 2).start().await;
    let (market, user, other) = (app.market().await, app.user().await, app.user().await);
    let mut auctions = Vec::new();
    for _ in 0..3 {
        auctions.push(market.auction(json!({})).await);
    }
    user.watch(auctions[0]).await.ok();
    user.watch(auctions[0])
        .await
        .problem(409, "auction_watched");
    user.watch(auctions[1]).await.ok();
    user.watch(auctions[2])
        .await
        .problem(409, "watch_list_full");
    user.unwatch(auctions[2])
        .await
        .problem(409, "auction_not_watched");
    other.watch(auctions[2]).await.ok();
    app.settle().await;
    assert_eq!(
        watched(&user).await,
        [json!(auctions[1]), json!(auctions[0])]
    );
    let first = user.get("/v1/me/watches?limit=1").await.ok();
    let next = first.body["next"].as_str().unwrap();
    let rest = user.get(&format!("/v1/me/watches?cursor={next}")).await;
    let rest = rest.ok();
    assert_eq!(rest.body["items"][0]["auction_id"], json!(auctions[0]));
    // What is over stays in the list, and can be taken out of it.
    let path = format!("/v1/auctions/{}/cancel", auctions[0]);
    market.seller.post_empty(&path).await.ok();
    app.settle().await;
    assert_eq!(watched(&user).await.len(), 2);
    user.unwatch(auctions[0]).await.ok();
    user.watch(auctions[2]).await.ok();
    let over = other.watch(auctions[0]).await;
    over.problem(409, "auction_over");
    app.settle().await;
    assert_eq!(
        watched(&user).await,
        [json!(auctions[2]), json!(auctions[1])]
    );
}
