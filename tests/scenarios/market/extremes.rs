//! The most extreme values that are accepted reach the log and the read models unharmed.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::types::Json;
use tidemark_tests::market::product;
use tidemark_tests::{App, Client, Market};
use uuid::Uuid;

/// The data of the first event of a stream.
async fn first_event(app: &App, stream: Uuid) -> Value {
    let data: Json<Value> =
        sqlx::query_scalar("select data from events where stream_id = $1 and version = 1")
            .bind(stream)
            .fetch_one(&app.database.pool)
            .await
            .unwrap();
    data.0
}

/// The document at this path, once it shows everything that happened.
async fn shown(app: &App, client: &Client, path: &str) -> Value {
    app.settle().await;
    client.get(path).await.ok().body
}

#[tokio::test]
async fn the_earliest_and_the_latest_times_are_kept_in_whole_microseconds() {
    let app = App::start_all().await;
    let market = app.market().await;
    let now = app.database.now().await;
    let in_days = |days| now + TimeDelta::days(days);
    let finely = |time: DateTime<Utc>| time.format("%Y-%m-%dT%H:%M:%S.123456789Z").to_string();
    let kept = |time: DateTime<Utc>| time.format("%Y-%m-%dT%H:%M:%S.123456Z").to_string();
    let (soon, latest) = (now + TimeDelta::seconds(60), in_days(729));
    for (starts_at, ends_at) in [
        (soon, soon + TimeDelta::seconds(1)),
        (soon, soon + TimeDelta::days(30)),
        (latest - TimeDelta::days(30), latest),
    ] {
        let times = json!({"starts_at": finely(starts_at), "ends_at": finely(ends_at)});
        let id = market.auction(times).await;
        let event = first_event(&app, id).await;
        let document = shown(&app, &app.client, &format!("/v1/auctions/{id}")).await;
        for stored in [&event, &document] {
            assert_eq!(stored["starts_at"], kept(starts_at));
            assert_eq!(stored["ends_at"], kept(ends_at));
        }
        let column: DateTime<Utc> =
            sqlx::query_scalar("select ends_at from auction_rows where id = $1")
                .bind(id)
                .fetch_one(&app.database.pool)
                .await
                .unwrap();
        assert_eq!(column.to_rfc3339(), kept(ends_at).replace('Z', "+00:00"));
    }
}

#[tokio::test]
async fn the_longest_texts_of_any_script_are_kept() {
    let app = App::start_all().await;
    let market = app.market().await;
    let image = |chars| format!("{:a<chars$}", "https://images.example/");
    for character in ["a", "\u{1f30a}", "\u{5e9}", "\u{645}", "\u{6f22}"] {
        let long = |chars| character.repeat(chars);
        let mut body = product(market.category_id);
        body["title"] = long(200).into();
        body["description"] = long(10_000).into();
        body["images"] = json!([image(500)]);
        body["specifications"] = json!({ long(200): long(200) });
        assert_kept(&app, &market, &body).await;
    }
}

#[tokio::test]
async fn marks_of_direction_joiners_and_lines_are_kept() {
    let app = App::start_all().await;
    let market = app.market().await;
    // A family, which is joined by U+200D, and Persian, whose words have U+200C within.
    let title =
        "\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467} \u{645}\u{6cc}\u{200c}\u{62e}\u{648}\u{200f}!";
    let mut body = product(market.category_id);
    body["title"] = title.into();
    body["description"] = format!("{title}\n\n\t{title}\n").into();
    assert_kept(&app, &market, &body).await;
    body["description"] = "".into();
    assert_kept(&app, &market, &body).await;
}

#[tokio::test]
async fn texts_are_kept_in_one_unicode_form() {
    let app = App::start_all().await;
    let market = app.market().await;
    let mut body = product(market.category_id);
    body["title"] = "Cafe\u{301}".into();
    body["description"] = "Cafe\u{301}\r\nau lait".into();
    body["specifications"] = json!({"Gro\u{308}\u{df}e": "2 A\u{30a}"});
    let id = market.seller.post("/v1/products", &body).await.ok().id();
    let event = first_event(&app, id).await;
    let document = shown(&app, &market.seller, &format!("/v1/products/{id}")).await;
    for stored in [&event, &document] {
        assert_eq!(stored["title"], "Caf\u{e9}");
        assert_eq!(stored["description"], "Caf\u{e9}\nau lait");
        let expected = json!({"Gr\u{f6}\u{df}e": "2 \u{c5}"});
        assert_eq!(stored["specifications"], expected);
    }
}

/// Drafts the product, lists and auctions it, and fails unless every text is kept as it is.
async fn assert_kept(app: &App, market: &Market<'_>, body: &Value) {
    let seller = &market.seller;
    let id = seller.post("/v1/products", body).await.ok().id();
    let event = first_event(app, id).await;
    let document = shown(app, seller, &format!("/v1/products/{id}")).await;
    for stored in [&event, &document] {
        for field in ["title", "description", "images", "specifications"] {
            assert_eq!(stored[field], body[field]);
        }
    }
    let list = format!("/v1/products/{id}/list");
    seller.post_empty(&list).await.ok();
    let terms = market.terms(id, json!({})).await;
    let auction = seller.post("/v1/auctions", &terms).await.ok().id();
    let document = shown(app, &app.client, &format!("/v1/auctions/{auction}")).await;
    assert_eq!(document["title"], body["title"]);
}
