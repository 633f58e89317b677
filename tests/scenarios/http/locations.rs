//! Where clients find what they have created.

use serde_json::json;
use tidemark_tests::market::{eur, product};
use tidemark_tests::{App, Client};

use super::routes;

#[tokio::test]
async fn every_answer_of_201_says_where_the_new_thing_is() {
    let app = App::start().await;
    for route in routes::all(&app).await {
        let is_not_due = route.template.ends_with("/close");
        if route.template == "/v1/admins" || is_not_due {
            continue;
        }
        let answer = route.send().await.ok();
        assert_eq!(
            answer.status == 201,
            answer.header("location").starts_with("/v1/"),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn what_was_created_is_found_at_its_location() {
    let app = App::builder().projector().queries().start().await;
    let (market, buyer) = (app.market().await, app.user().await);
    let admin: &Client = app.admin().await;
    let category = json!({"name": "Sextants", "slug": "sextants-3"});
    let draft = product(market.category_id);
    // It opens later, so that it is found as it was created.
    let opens = json!({"starts_at": app.database.in_seconds(600).await});
    let auction = market.terms(market.listed().await, opens).await;
    let (seller, bid) = (&*market.seller, json!({"amount": eur(1_000)}));
    let bids = format!("/v1/auctions/{}/bids", market.auction(json!({})).await);
    for (client, path, body) in [
        (admin, "/v1/categories", &category),
        (seller, "/v1/products", &draft),
        (seller, "/v1/auctions", &auction),
        (&*buyer, &bids, &bid),
    ] {
        let key = format!("a-key-of-{}", path.replace('/', "_"));
        let key = &key[..key.len().min(64)];
        let created = client.with_key(key).post(path, body).await.ok();
        let again = client.with_key(key).post(path, body).await.ok();
        let location = created.header("location");
        assert_eq!(again.header("location"), location);
        let reader = client.with_tidemark(created.header("tidemark"));
        let found = reader.get(location).await.ok();
        assert_eq!(found.body["id"], created.body["id"], "{path}");
        assert_eq!(found.version(), created.version(), "{path}");
    }

    let person = app.person();
    let registered = app.client.post("/v1/users", &person.registration()).await;
    let session = app.client.post("/v1/sessions", &person.login()).await.ok();
    let client = app
        .client
        .with_token(session.body["access_token"].as_str().unwrap());
    let reader = client.with_tidemark(session.header("tidemark"));
    let profile = reader.get(registered.ok().header("location")).await.ok();
    assert_eq!(profile.body["id"], session.body["user_id"]);
    client.delete(session.header("location")).await.ok();
}
