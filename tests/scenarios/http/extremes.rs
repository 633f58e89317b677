//! Values at the ends of their types and beyond, in every parameter of every query.

use serde_json::json;
use tidemark_tests::{App, User};
use uuid::Uuid;

/// Of each type some values that the type, a column or Postgres does not hold, as a URL has them.
const EXTREMES: [&str; 20] = [
    "",
    "-1",
    "2147483648",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551616",
    "1e400",
    "NaN",
    "0000-01-01T00:00:00Z",
    "1969-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59.999999999Z",
    "2016-12-31T23:59:60Z",
    "-4713-01-01T00:00:00Z",
    "%2B262142-12-31T23:59:59Z",
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "%00",
    "%ED%A0%80",
    "%F4%8F%BF%BF%27%25%5C",
];

/// A query of the description.
struct Query {
    path: String,
    parameters: Vec<String>,
}

/// Every query, with this id in its path.
async fn queries(app: &App, id: Uuid) -> Vec<Query> {
    let document = app.client.get("/openapi.json").await.ok();
    let paths = document.body["paths"].as_object().unwrap().iter();
    let of_data = paths.filter(|(path, _)| path.starts_with("/v1/"));
    let gets = of_data.map(|(path, item)| {
        let path = path.replace("{id}", &id.to_string());
        let parameters = item["get"]["parameters"].as_array().into_iter().flatten();
        Query {
            path: path.replace("{id_or_slug}", "clocks"),
            parameters: parameters
                .filter(|parameter| parameter["in"] == "query")
                .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
                .collect(),
        }
    });
    gets.collect()
}

/// A user who may send every query.
async fn reader(app: &App) -> User {
    let auditor = app.auditor().await;
    app.grant(&auditor, "operator").await;
    app.log_in_again(&auditor).await
}

#[tokio::test]
async fn a_parameter_is_never_the_fault_of_the_server_nor_worth_trying_again() {
    let app = App::builder().projector().queries().start().await;
    let auction = app.market().await.auction(json!({})).await;
    let reader = reader(&app).await;
    app.settle().await;
    for Query { path, parameters } in queries(&app, auction).await {
        for parameter in &parameters {
            // Prices are compared in one currency only.
            let needs_currency = parameter.starts_with("price");
            let rest = if needs_currency { "&currency=EUR" } else { "" };
            for value in EXTREMES {
                let query = format!("{path}?{parameter}={value}{rest}");
                let answer = reader.get(&query).await;
                assert!(answer.status < 500, "{query}: {answer:?}");
                assert_eq!(answer.header("retry-after"), "", "{query}: {answer:?}");
            }
        }
    }
}

#[tokio::test]
async fn every_command_refuses_a_position_of_the_future_in_the_same_way() {
    let app = App::start().await;
    app.user().await;
    let operator = app.service("operator");
    let id = Uuid::nil();
    let end = app.database.head().await;
    let at = |position: i64| {
        let repair = |remedy| {
            json!({
                "read_model": "auction", "row_id": id, "remedy": remedy, "position": position, "reason": "A test.",
            })
        };
        [
            (
                "/v1/republications",
                "/from_position",
                json!({ "from_position": position, "reason": "A test." }),
            ),
            (
                "/v1/retries",
                "/cause_position",
                json!({ "reactor": "auction-timer", "cause_position": position, "target": "close", "refusal": "409" }),
            ),
            (
                "/v1/drops",
                "/cause_position",
                json!({ "reactor": "auction-timer", "cause_position": position, "target": "close", "reason": "A test." }),
            ),
            ("/v1/repairs", "/position", repair("retry")),
            ("/v1/repairs", "/position", repair("skip")),
        ]
    };
    for (path, pointer, body) in at(end + 100) {
        let refused = operator.post(path, &body).await;
        refused.problem(422, "position_not_in_log");
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{refused:?}");
    }
    assert_eq!(app.database.head().await, end);
    for (path, _, body) in at(end) {
        operator.post(path, &body).await.ok();
    }
}

#[tokio::test]
async fn every_query_refuses_a_position_of_the_future_in_the_same_way() {
    let app = App::builder().projector().queries().start().await;
    let auction = app.market().await.auction(json!({})).await;
    let reader = reader(&app).await;
    app.settle().await;
    let next = app.database.head().await + 1;
    for Query { path, .. } in queries(&app, auction).await {
        for (token, status, code) in [
            (format!("1.{next}"), 400, "future_position"),
            (format!("1.{}", i64::MAX), 400, "future_position"),
            ("2.1".to_owned(), 409, "other_timeline"),
        ] {
            let answer = reader.with_tidemark(&token).get(&path).await;
            answer.problem(status, code);
            assert_eq!(answer.header("retry-after"), "", "{path}");
        }
    }
}
