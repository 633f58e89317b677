//! A command with an `Idempotency-Key` acts once, and every process answers it as it was answered first.

use futures::future::join_all;
use serde_json::json;
use tidemark_command_api::ProcessRoles;
use tidemark_tests::eventually;
use tidemark_tests::market::product;
use tidemark_tests::{Answer, App, Client};

const KEY: &str = "3f2c8a4e-key-of-this-test";

fn category(slug: &str) -> serde_json::Value {
    json!({"name": "Charts", "slug": slug})
}

/// The parts of an answer that a repeated request must get unchanged; other headers name the one
/// request.
fn comparable(answer: &Answer) -> (u16, &str, &str, &str) {
    let Answer { status, text, .. } = answer;
    (*status, text, answer.tidemark(), answer.header("etag"))
}

#[track_caller]
fn is_replay_of(answer: &Answer, first: &Answer) {
    assert_eq!(comparable(answer), comparable(first));
    assert_eq!(answer.header("idempotency-replayed"), "true", "{answer:?}");
}

#[tokio::test]
async fn a_key_reused_for_another_request_is_refused() {
    let app = App::start().await;
    let market = app.market().await;
    let (draft, other) = (market.draft().await, market.draft().await);
    let seller = market.seller.with_key(KEY);
    let body = product(market.category_id);
    seller.post("/v1/products", &body).await.ok();
    let head = app.database.head().await;

    let mut changed = body.clone();
    changed["title"] = "Another title".into();
    let reused = async |answer: Answer| answer.problem(422, "idempotency_key_reused");
    reused(seller.post("/v1/products", &changed).await).await;
    reused(
        seller
            .post_empty(&format!("/v1/products/{draft}/list"))
            .await,
    )
    .await;
    reused(seller.if_match(0).post("/v1/products", &body).await).await;
    assert_eq!(app.database.head().await, head);

    // Two requests without a body differ by their path alone.
    let seller = market.seller.with_key("3f2c8a4e-another-key");
    seller
        .post_empty(&format!("/v1/products/{draft}/list"))
        .await
        .ok();
    reused(
        seller
            .post_empty(&format!("/v1/products/{other}/list"))
            .await,
    )
    .await;
    reused(
        seller
            .post_empty(&format!("/v1/products/{draft}/withdraw"))
            .await,
    )
    .await;
}

/// The key is sent with another request before its first request is answered.
#[tokio::test]
async fn a_key_reused_while_its_first_request_runs_is_refused() {
    let app = App::start().await;
    let admin = app.admin().await.with_key(KEY);
    let head = app.database.head().await;
    let bodies: Vec<_> = (0..20).map(|n| category(&format!("charts-{n}"))).collect();
    let attempts = bodies.iter().map(|body| admin.post("/v1/categories", body));
    let answers = join_all(attempts).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    for answer in answers.iter().filter(|answer| !answer.is_ok()) {
        answer.problem(422, "idempotency_key_reused");
    }
    assert_eq!(app.database.head().await, head + 1);
}

#[tokio::test]
async fn one_key_sent_twenty_times_at_once_acts_once() {
    let app = App::start().await;
    let admin = app.admin().await;
    twenty_at_once(&app, &[admin.with_key(KEY)]).await;
}

#[tokio::test]
async fn one_key_sent_to_two_processes_acts_once() {
    let app = App::start().await;
    let second = app.spawn_command_api().await;
    let admin = app.admin().await.with_key(KEY);
    twenty_at_once(&app, &[admin.clone(), admin.via_command_api(&second.url)]).await;
}

async fn twenty_at_once(app: &App, clients: &[Client]) {
    let head = app.database.head().await;
    let body = category("charts");
    let attempts = (0..20)
        .flat_map(|_| clients)
        .map(|client| client.post("/v1/categories", &body));
    let answers = join_all(attempts).await;
    for answer in &answers {
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(comparable(answer), comparable(&answers[0]));
    }
    let is_first = |answer: &&Answer| answer.header("idempotency-replayed").is_empty();
    assert_eq!(answers.iter().filter(is_first).count(), 1);
    assert_eq!(app.database.head().await, head + 1);
    assert_eq!(answers[0].position(), head + 1);
}

/// The key of an anonymous caller belongs to the route.
#[tokio::test]
async fn one_key_of_anonymous_callers_acts_once() {
    let app = App::start().await;
    let body = app.person().registration();
    let client = app.client.with_key(KEY);
    let attempts = (0..20).map(|_| client.post("/v1/users", &body));
    let answers = join_all(attempts).await;
    for answer in &answers {
        assert_eq!(comparable(answer), comparable(&answers[0]));
        assert_eq!(answer.status, 201);
    }
    assert_eq!(app.database.head().await, 2, "a user and a credential");
    let other = app.person().registration();
    let answer = client.post("/v1/users", &other).await;
    answer.problem(422, "idempotency_key_reused");
}

#[tokio::test]
async fn a_repeated_request_gets_the_same_answer_later_and_after_a_restart() {
    let mut app = App::start().await;
    let admin = app.admin().await.with_key(KEY);
    let body = category("charts");
    let first = admin.post("/v1/categories", &body).await.ok();
    assert_eq!(first.header("idempotency-replayed"), "");
    // The category changes meanwhile, but the answer is still the first one.
    let path = format!("/v1/categories/{}/deactivate", first.id());
    app.admin().await.post_empty(&path).await.ok();
    let head = app.database.head().await;

    is_replay_of(&admin.post("/v1/categories", &body).await, &first);
    let second = app
        .another_command_api(ProcessRoles {
            api: true,
            relay: false,
        })
        .await;
    is_replay_of(
        &admin
            .via_command_api(&second.url)
            .post("/v1/categories", &body)
            .await,
        &first,
    );
    app.restart_command_api().await;
    is_replay_of(&admin.post("/v1/categories", &body).await, &first);
    assert_eq!(app.database.head().await, head);
}

#[tokio::test]
async fn a_repeated_request_gets_the_same_answer_after_a_crash() {
    let app = App::start().await;
    let mut process = app.spawn_command_api().await;
    let admin = app.admin().await.with_key(KEY);
    let body = category("charts");
    let first = admin
        .via_command_api(&process.url)
        .post("/v1/categories", &body)
        .await
        .ok();
    process.kill().await;
    is_replay_of(&admin.post("/v1/categories", &body).await, &first);
    let process = app.spawn_command_api().await;
    is_replay_of(
        &admin
            .via_command_api(&process.url)
            .post("/v1/categories", &body)
            .await,
        &first,
    );
}

#[tokio::test]
async fn a_key_acts_anew_after_24_hours() {
    let mut app = App::start().await;
    let market = app.market().await;
    let seller = market.seller.with_key(KEY);
    let body = product(market.category_id);
    let first = seller.post("/v1/products", &body).await.ok();
    let pool = app.database.pool.clone();
    let kept = "update idempotency_records set recorded_at = recorded_at - interval '23 hours'";
    let expired = "update idempotency_records set recorded_at = recorded_at - interval '2 hours'";

    sqlx::query(kept).execute(&pool).await.unwrap();
    let seller_id = market.seller.id;
    drop(market);
    app.restart_command_api().await;
    is_replay_of(&seller.post("/v1/products", &body).await, &first);

    sqlx::query(expired).execute(&pool).await.unwrap();
    app.restart_command_api().await;
    eventually("the record to expire", || async {
        let left: i64 = sqlx::query_scalar("select count(*) from idempotency_records")
            .fetch_one(&pool)
            .await
            .unwrap();
        (left == 0).then_some(())
    })
    .await;
    let again = seller.post("/v1/products", &body).await.ok();
    assert_ne!(again.id(), first.id(), "{seller_id}");
    assert_eq!(again.header("idempotency-replayed"), "");
}

#[tokio::test]
async fn a_refusal_is_not_recorded_and_is_decided_anew() {
    let app = App::start().await;
    let market = app.market().await;
    let draft = market.draft().await;
    let seller = market.seller.with_key(KEY);
    let body = market.terms(draft, json!({})).await;
    let head = app.database.head().await;
    for _ in 0..2 {
        let answer = seller.post("/v1/auctions", &body).await;
        answer.problem(409, "product_not_listed");
    }
    assert_eq!(app.database.head().await, head);
    market
        .seller
        .post_empty(&format!("/v1/products/{draft}/list"))
        .await
        .ok();
    let first = seller.post("/v1/auctions", &body).await.ok();
    is_replay_of(&seller.post("/v1/auctions", &body).await, &first);
}

#[tokio::test]
async fn the_same_key_of_two_users_is_two_keys() {
    let app = App::start().await;
    let market = app.market().await;
    let auction = market.auction(json!({})).await;
    let (ida, otto) = (
        app.user().await.with_key(KEY),
        app.user().await.with_key(KEY),
    );
    let first = ida.bid(auction, 1_000).await.ok();
    // The same request of another user is decided on its own.
    otto.bid(auction, 1_000).await.problem(409, "bid_too_low");
    let second = otto.bid(auction, 1_100).await.ok();
    is_replay_of(&ida.bid(auction, 1_000).await, &first);
    is_replay_of(&otto.bid(auction, 1_100).await, &second);
}

#[tokio::test]
async fn malformed_and_repeated_keys_are_refused() {
    let app = App::start().await;
    let admin = app.admin().await;
    let head = app.database.head().await;
    for key in [
        "",
        "a",
        "fifteen-letters",
        &"a".repeat(65),
        &"a".repeat(10_240),
        "sixteen letters ",
        "'; drop table events; --",
        "../../../../etc/passwd",
        "caf\u{e9}-caf\u{e9}-caf\u{e9}-caf\u{e9}",
    ] {
        let answer = admin
            .with_key(key)
            .post("/v1/categories", &category("a"))
            .await;
        answer.problem(400, "invalid_idempotency_key");
    }
    let request = admin
        .command(reqwest::Method::POST, "/v1/categories")
        .json(&category("a"));
    let twice = request
        .header("idempotency-key", KEY)
        .header("idempotency-key", KEY);
    Answer::to(twice).await.problem(400, "repeated_header");
    assert_eq!(app.database.head().await, head);
}
