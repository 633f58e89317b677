//! What is refused, and what handlers get.

use axum::http::Method;
use axum::routing::get;
use utoipa::OpenApi;

use super::*;
use crate::http::Json;
use crate::middleware;
use crate::openapi::{complete, described};
use crate::testing;

#[utoipa::path(
    get,
    path = "/v1/things",
    params(
        ("size" = Option<String>, Query),
        ("owner" = Option<uuid::Uuid>, Query),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 100),
        ("Colour" = Option<String>, Header)
    ),
    responses((status = 200, body = String, content_type = "application/json"))
)]
#[expect(dead_code, reason = "only its description is used")]
fn things() {}

#[utoipa::path(
    get,
    path = "/v1/updates",
    responses((status = 200, body = String, content_type = "text/event-stream"))
)]
#[expect(dead_code, reason = "only its description is used")]
fn updates() {}

#[derive(OpenApi)]
#[openapi(paths(things, updates))]
struct Api;

/// Answers the names of the headers that a handler gets.
async fn names(headers: HeaderMap) -> Json<BTreeSet<String>> {
    Json(headers.keys().map(ToString::to_string).collect())
}

fn app() -> Router {
    let config = testing::config();
    let routes = Router::new()
        .route("/v1/things", get(names))
        .route("/v1/updates", get(|| async { "data: 1" }));
    let routes = described(routes, complete(Api::openapi(), |_| ()));
    middleware::apply(routes, &config.http, testing::authenticator(&config))
}

#[tokio::test]
async fn a_client_that_accepts_nothing_that_a_path_answers_is_refused() {
    let app = app();
    for (path, accept, status) in [
        ("/v1/things", "application/json", 200),
        ("/v1/things", "text/html, */*;q=0.1", 200),
        ("/v1/things", "Application/*", 200),
        ("/v1/things", "", 200),
        ("/v1/things", "text/html", 406),
        ("/v1/things", "application/j*", 406),
        ("/v1/things", "text/event-stream", 406),
        ("/v1/things", "application/json;q=0", 406),
        ("/v1/things", "application/json;q=0, */*", 406),
        ("/v1/things", "*/*, application/json; q=0", 406),
        ("/v1/things", "application/*;q=0, */*", 406),
        ("/v1/things", "application/json;q=0.1, */*;q=0", 200),
        ("/v1/things", "application/json;q=0.000", 406),
        ("/v1/things", "application/json;q=1.", 200),
        ("/v1/things", "application/json;Q=1.000", 200),
        // Weights that are none: what has one counts as not sent.
        ("/v1/things", "application/json;q=-1", 200),
        ("/v1/things", "application/json;q=nan", 200),
        ("/v1/things", "application/json;q=0.0000", 406),
        ("/v1/things", "text/html, *; q=.2, */*; q=.2", 200),
        ("/v1/things", "text/html, application/json;q=-1", 406),
        ("/v1/things", "text/html, application/json;q=nan", 406),
        ("/v1/things", "text/html, application/json;q=inf", 406),
        ("/v1/things", "text/html, application/json;q=1.001", 406),
        ("/v1/things", "text/html, application/json;q=1e0", 406),
        ("/v1/things", "text/html, application/json;q=", 406),
        ("/v1/things", "application/json;q=nan, */*;q=0", 406),
        ("/v1/updates", "Text/Event-Stream", 200),
        ("/v1/updates", "application/json", 406),
        ("/v1/updates", "text/event-stream;q=0, */*", 406),
        ("/openapi.json", "text/html", 200),
    ] {
        let answer = testing::get(&app, path, &[("accept", accept)]).await;
        assert_eq!(answer.status, status, "{path}: {accept}");
    }
}

#[tokio::test]
async fn a_handler_gets_no_header_that_the_description_lacks() {
    let sent = [
        ("accept", "*/*"),
        ("colour", "red"),
        ("range", "bytes=0-0"),
        ("traceparent", "none"),
        ("x-twilio-signature", "none"),
    ];
    let answer = testing::get(&app(), "/v1/things", &sent).await;
    let names = serde_json::json!(["accept", "colour", "host", "traceparent"]);
    assert_eq!(answer.json(), names);
}

#[tokio::test]
async fn a_body_that_no_operation_takes_is_refused() {
    let app = app();
    for (body, status) in [("", 200), ("{}", 400), ("{{{not json", 400)] {
        let body = axum::body::Body::from(body);
        let request = testing::request(Method::GET, "/v1/things", &[], body);
        assert_eq!(testing::send(&app, request).await.status, status);
    }
}

#[tokio::test]
async fn a_parameter_that_no_operation_has_is_refused() {
    let app = app();
    for method in [Method::GET, Method::HEAD] {
        for (path, status) in [
            ("/v1/things?size=7", 200),
            ("/v1/things?limit=100", 200),
            ("/v1/things?", 200),
            ("/v1/things?size=7&colour=red", 422),
            ("/v1/things?owner=01890a5d-ac96-774b-bcce-b302099a8057", 200),
            ("/v1/things?owner=01890a5dac96774bbcceb302099a8057", 422),
            ("/v1/things?limit=5&limit=x", 400),
            ("/v1/things?limit=x&limit=5", 400),
            ("/v1/things?%53ize=7", 422),
            ("/v1/updates?size=7", 422),
            ("/problems?size=7", 422),
            ("/docs/?size=7", 200),
        ] {
            let body = axum::body::Body::empty();
            let request = testing::request(method.clone(), path, &[], body);
            let answer = testing::send(&app, request).await;
            assert_eq!(answer.status, status, "{method} {path}");
            if method == Method::GET && path.contains("colour") {
                assert_eq!(answer.pointers(), ["colour"]);
            }
        }
    }
}

#[tokio::test]
async fn an_integer_that_is_none_or_out_of_range_is_told_its_range() {
    let app = app();
    for value in ["x", "", "1.5", "0", "101", "9223372036854775808"] {
        let answer = testing::get(&app, &format!("/v1/things?limit={value}"), &[]).await;
        assert_eq!(answer.problem(), (422, "invalid".to_owned()), "{value}");
        let fault = &answer.json()["errors"][0];
        assert_eq!(fault["parameter"], "limit");
        assert_eq!(fault["detail"], "must be an integer from 1 to 100");
    }
}
