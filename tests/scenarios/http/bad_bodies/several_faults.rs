//! All faults of a body are told at once, in words that a client of the API knows.

use serde_json::json;
use tidemark_tests::App;

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

#[tokio::test]
async fn all_missing_fields_are_told_at_once() {
    let app = App::start().await;
    let answer = app.client.post("/v1/users", &json!({"email": 7})).await;
    answer.problem(422, "invalid");
    let mut pointers = answer.pointers();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/display_name", "/email", "/password"]);
}
