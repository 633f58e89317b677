//! All faults of a body are told at once, in words that a client of the API knows.

use reqwest::Method;
use serde_json::{Value, json};
use tidemark_tests::{Answer, App, Client};
use uuid::Uuid;

#[tokio::test]
async fn all_faults_of_a_body_are_told_at_once() {
    let app = App::start().await;
    let body = json!({
        "category_id": "seven",
        "title": "two\nlines",
        "condition": "shiny",
        "images": ["https://images.example/clock.jpg", "clock.jpg", 17],
        "shipping": {"price": {"amount": -5, "currency": "XXX"}, "countries": ["de"]},
        "colour": "blue",
    });
    let answer = app.seller().await.post("/v1/products", &body).await;
    answer.problem(422, "invalid");
    let mut pointers = answer.pointers();
    pointers.sort_unstable();
    let expected = [
        "/category_id",
        "/colour",
        "/condition",
        "/images/1",
        "/images/2",
        "/shipping/countries/0",
        "/shipping/price/amount",
        "/shipping/price/currency",
        "/title",
    ];
    assert_eq!(pointers, expected);
    for word in [
        "serde", "expected", "i64", "struct", "variant", "parsing", "line 1",
    ] {
        assert!(!answer.text.contains(word), "{word}: {answer:?}");
    }
}

/// Each fault is told with its place, which may be as long as the body.
#[tokio::test]
async fn however_many_faults_a_body_has_its_answer_is_short() {
    let app = App::start().await;
    let seller = app.seller().await;
    let key = "a".repeat(20_000);
    let many = |value: &str| vec![value; 8_000].join(",");
    for body in [
        format!(r#"{{"{key}":[{}]}}"#, many("-0")),
        format!(r#"{{"title":[{}]}}"#, many("1e999")),
        format!(r#"{{"attributes":{{"{key}":[{}]}}}}"#, many("-0")),
        format!(r#"{{"attributes":{{"{key}":[{}]}}}}"#, many("[]")),
        format!(r#"{{"images":[{}]}}"#, many("\"no\"")),
        format!(r#"{{"images":[{}]}}"#, many("{}")),
    ] {
        let answer = seller.command(Method::POST, "/v1/products").body(body);
        let answer = Answer::to(answer.header("content-type", "application/json")).await;
        answer.problem(422, "invalid");
        let bytes = answer.text.len();
        assert!(bytes < 20_000, "{bytes} bytes");
    }
}

#[tokio::test]
async fn the_length_of_a_password_is_told_with_the_other_faults() {
    let app = App::start().await;
    let body = json!({"email": "bad", "password": "short", "display_name": "Ada"});
    let answer = app.client.post("/v1/users", &body).await;
    answer.problem(422, "invalid");
    let mut pointers = answer.pointers();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/email", "/password"]);
}

#[tokio::test]
async fn all_missing_fields_are_told_at_once() {
    let app = App::start().await;
    let answer = app.client.post("/v1/users", &json!({"email": 7})).await;
    answer.problem(422, "invalid");
    let mut pointers = answer.pointers();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/display_name", "/email", "/password"]);
}

/// Fails unless the command is refused with this code, and told about these fields of it.
async fn assert_told(client: &Client, path: &str, body: &Value, code: &str, fields: &[&str]) {
    let answer = client.post(path, body).await;
    answer.problem(422, code);
    let mut pointers = answer.pointers();
    pointers.sort_unstable();
    assert_eq!(pointers, fields, "{path}: {answer:?}");
}

#[tokio::test]
async fn what_only_the_deployment_knows_of_a_task_is_told_with_the_other_faults() {
    let app = App::start().await;
    let user = app.user().await;
    let mut task = json!({
        "name": "Sync", "url": "http://localhost/", "cron": "0 0 1 * MON", "zone": "Mars/Base",
    });
    let told = ["/cron", "/url", "/zone"];
    assert_told(&user, "/v1/tasks", &task, "destination_forbidden", &told).await;
    task["name"] = json!("");
    task["window_s"] = json!(1);
    let told = ["/cron", "/name", "/url", "/window_s", "/zone"];
    assert_told(&user, "/v1/tasks", &task, "invalid", &told).await;
    let never = json!({
        "name": "Sync", "url": "http://localhost/", "cron": "0 0 30 2 *", "zone": "UTC",
    });
    let told = ["/cron", "/url"];
    assert_told(&user, "/v1/tasks", &never, "destination_forbidden", &told).await;

    // How a schedule is kept says nothing without one.
    for (field, value) in [
        ("missed", json!("latest")),
        ("overlap", json!("allow")),
        ("window_s", json!(600)),
        ("delay_max_s", json!(0)),
    ] {
        let mut kept = json!({"name": "Sync", "url": "https://hooks.example/"});
        kept[field] = value;
        let told = ["/cron", "/zone"];
        assert_told(&user, "/v1/tasks", &kept, "invalid", &told).await;
    }
    let on_request = json!({"name": "Sync", "url": "https://hooks.example/"});
    let id = user.post("/v1/tasks", &on_request).await.ok().id();
    let change = json!({"name": "", "url": "http://localhost/", "missed": "all"});
    let path = format!("/v1/tasks/{id}/change");
    let told = ["/cron", "/name", "/url", "/zone"];
    assert_told(&user, &path, &change, "invalid", &told).await;
    let of_nobody = format!("/v1/tasks/{}/change", Uuid::nil());
    assert_told(&user, &of_nobody, &change, "invalid", &["/name"]).await;
    assert_eq!(app.database.count_of("task.defined").await, 1);
}

#[tokio::test]
async fn a_password_that_is_easily_guessed_is_told_with_the_other_faults() {
    let app = App::start().await;
    let user = json!({
        "email": "bad", "password": "passwordpassword", "display_name": "Ada\nLovelace",
    });
    let told = ["/display_name", "/email", "/password"];
    assert_told(&app.client, "/v1/users", &user, "invalid", &told).await;
}

#[tokio::test]
async fn prices_and_times_of_an_auction_are_told_together() {
    let app = App::start().await;
    let seller = app.seller().await;
    let mut auction = json!({
        "product_id": Uuid::nil(),
        "starting_price": {"amount": 100, "currency": "EUR"},
        "minimum_increment": 1,
        "reserve_price": 99,
        "buy_now_price": 100,
        "starts_at": "2020-01-01T00:00:00Z",
        "ends_at": "2020-01-02T00:00:00Z",
    });
    let told = ["/buy_now_price", "/ends_at", "/reserve_price", "/starts_at"];
    assert_told(&seller, "/v1/auctions", &auction, "reserve_too_low", &told).await;
    auction["minimum_increment"] = json!(0);
    let told = [
        "/buy_now_price",
        "/ends_at",
        "/minimum_increment",
        "/reserve_price",
        "/starts_at",
    ];
    assert_told(&seller, "/v1/auctions", &auction, "invalid", &told).await;
    // Nothing is said of times that nobody can read, nor of a price without an amount.
    auction["starts_at"] = json!("soon");
    auction["starting_price"]["amount"] = json!(0);
    let told = ["/minimum_increment", "/starting_price/amount", "/starts_at"];
    assert_told(&seller, "/v1/auctions", &auction, "invalid", &told).await;
}

#[tokio::test]
async fn an_order_is_told_what_it_lacks_with_its_other_faults() {
    let app = App::start().await;
    let operator = app.service("operator");
    let rebuild = json!({"read_model": "", "order": "drop", "reason": "A test."});
    let told = ["/generation", "/read_model"];
    assert_told(&operator, "/v1/rebuilds", &rebuild, "invalid", &told).await;
    let repair = json!({
        "read_model": "", "row_id": Uuid::nil(), "remedy": "skip", "reason": "A test.",
    });
    let told = ["/position", "/read_model"];
    assert_told(&operator, "/v1/repairs", &repair, "invalid", &told).await;
    let retry = json!({
        "reactor": "auction-clock", "cause_position": 4_711, "target": "close", "refusal": "409",
    });
    let told = ["/cause_position", "/reactor"];
    assert_told(&operator, "/v1/retries", &retry, "unknown_reactor", &told).await;
    assert_eq!(app.database.head().await, 0);
}
