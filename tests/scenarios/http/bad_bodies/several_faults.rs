//! All faults of a body are told at once, in words that a client of the API knows.

use reqwest::Method;
use serde_json::json;
use tidemark_tests::{Answer, App};

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
