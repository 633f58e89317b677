//! Values at the ends of their types and beyond, in every parameter of every query, and in every path.

use reqwest::Method;
use serde_json::{Value, json};
use tidemark_tests::{Answer, App, Client, User};
use uuid::Uuid;

use super::description::{operations, resolve};

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

/// Bytes that are no UTF-8: one that never occurs, a NUL that is longer than it may be, a surrogate, and a character that is
/// cut off.
const NO_UTF8: [&str; 4] = ["%FF", "%C0%80", "%ED%A0%80", "%C3"];

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
            path: path
                .replace("{id_or_slug}", "clocks")
                .replace("{variant}", "full"),
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

/// An operation of one of the APIs with parameters in its path, and a client that asks that API.
struct Operation {
    method: Method,
    template: String,
    /// The names of these parameters.
    parameters: Vec<String>,
    client: Client,
}

impl Operation {
    /// Sends the operation with a value as it is in a URL for one of the parameters, and a fitting one for each other.
    async fn send(&self, parameter: &str, value: &str) -> Answer {
        let path = self.template.replace(&format!("{{{parameter}}}"), value);
        let path = path.replace("{id}", &Uuid::nil().to_string());
        let path = path
            .replace("{role}", "seller")
            .replace("{variant}", "full");
        assert!(!path.contains('{'), "nothing is known for {path}");
        Answer::to(self.client.command(self.method.clone(), &path)).await
    }
}

/// Every operation of both APIs that has parameters in its path. Users send them who hold all roles, but for those that only
/// services may send.
async fn operations_with_paths(app: &App) -> Vec<Operation> {
    let [command, query] = tidemark_tests::apis();
    let user = reader(app).await;
    let mut found = Vec::new();
    for (api, url) in [(command, app.command_url()), (query, app.query_url())] {
        for (place, operation) in operations(&api) {
            let (method, template) = place.split_once(' ').unwrap();
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let parameters = parameters.map(|parameter| resolve(&api, parameter));
            let in_path = parameters.filter(|parameter| parameter["in"] == "path");
            let name = |parameter: &Value| parameter["name"].as_str().unwrap().to_owned();
            let is_of_services = operation["tags"] == json!(["services"]);
            let client = if is_of_services {
                app.service("projector").with("x-reactor", "auction-timer")
            } else {
                (*user).clone()
            };
            found.push(Operation {
                method: method.to_uppercase().parse().unwrap(),
                template: template.to_owned(),
                parameters: in_path.map(name).collect(),
                client: client.via_command_api(url),
            });
        }
    }
    found.retain(|operation| !operation.parameters.is_empty());
    found
}

#[tokio::test]
async fn a_path_is_never_the_fault_of_the_server_nor_worth_trying_again() {
    let app = App::builder().projector().queries().start().await;
    let operations = operations_with_paths(&app).await;
    app.settle().await;
    assert!(operations.len() >= 20, "{}", operations.len());
    for operation in &operations {
        let place = format!("{} {}", operation.method, operation.template);
        for parameter in &operation.parameters {
            for value in NO_UTF8 {
                let answer = operation.send(parameter, value).await;
                let is_refused = (answer.status, answer.code()) == (400, "invalid_path");
                assert!(is_refused, "{place} {value}: {answer:?}");
                let detail = answer.body["detail"].as_str().unwrap();
                assert_eq!(detail, format!("`{parameter}` must be UTF-8."), "{place}");
            }
            for value in EXTREMES {
                let answer = operation.send(parameter, value).await;
                assert!(answer.status < 500, "{place} {value}: {answer:?}");
                assert_eq!(answer.header("retry-after"), "", "{place} {value}");
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
            (
                "/v1/forks",
                "/shared_up_to",
                json!({ "shared_up_to": position, "reason": "A test." }),
            ),
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
