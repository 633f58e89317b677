//! The headers by which a client controls a request, as handlers receive them.

use axum::Router;
use axum::body::Body;
use axum::http::Method;
use serde_json::json;
use uuid::Uuid;

use super::app;
use crate::testing::{Answer, get, request, send};

async fn command(app: &Router, headers: &[(&str, &str)]) -> Answer {
    let request = request(Method::POST, "/v1/headers", headers, Body::empty());
    send(app, request).await
}

#[tokio::test]
async fn headers_of_commands_are_parsed_or_refused() {
    let app = app();
    let key = "6f2d6f62-0f0c-4f35-9d0e-3c1f3c0c7a11";
    let quoted = format!("\"{key}\"");
    let answer = command(
        &app,
        &[
            ("if-match", "\"7\""),
            ("idempotency-key", &quoted),
            ("tidemark", "1.42"),
        ],
    )
    .await
    .json();
    assert_eq!(
        (&answer["version"], &answer["key"]),
        (&json!([7]), &key.into())
    );
    assert_eq!(answer["token"], "1.42");

    let long = "a".repeat(65);
    for (name, value, code) in [
        ("if-match", "7", "invalid_if_match"),
        ("if-match", "\"7", "invalid_if_match"),
        ("if-match", "*, \"7\"", "invalid_if_match"),
        ("if-match", "", "invalid_if_match"),
        ("idempotency-key", "short", "invalid_idempotency_key"),
        (
            "idempotency-key",
            "a key with spaces in it",
            "invalid_idempotency_key",
        ),
        ("idempotency-key", &long, "invalid_idempotency_key"),
        ("tidemark", "42", "invalid_tidemark"),
        ("tidemark", "1.x", "invalid_tidemark"),
    ] {
        let answer = command(&app, &[(name, value)]).await;
        assert_eq!(answer.problem(), (400, code.to_owned()), "{name}: {value}");
    }
}

#[tokio::test]
async fn the_versions_of_if_match_are_those_of_its_tags() {
    let app = app();
    for (lines, versions) in [
        (&["*"][..], json!(null)),
        (&["\"7\", \"8\""], json!([7, 8])),
        (&["\"7\"", "W/\"8\", \"9\""], json!([7, 8, 9])),
        (&["\"+7\", \"07\", \"-7\", \"a,b\""], json!([])),
    ] {
        let headers = lines.iter().map(|line| ("if-match", *line));
        let answer = command(&app, &headers.collect::<Vec<_>>()).await;
        assert_eq!(answer.json()["version"], versions, "{lines:?}");
    }
}

#[tokio::test]
async fn a_correlation_id_and_a_traceparent_are_kept_if_they_are_well_formed() {
    let app = app();
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let answer = command(&app, &[("x-correlation-id", id), ("traceparent", parent)]).await;
    assert_eq!(answer.header("x-correlation-id"), id);
    assert_eq!(
        (
            &answer.json()["correlation_id"],
            &answer.json()["traceparent"]
        ),
        (&id.into(), &parent.into())
    );

    let answer = command(
        &app,
        &[("x-correlation-id", "<script>"), ("traceparent", "00-0")],
    )
    .await;
    assert!(Uuid::try_parse(answer.header("x-correlation-id")).is_ok());
    assert!(answer.json()["traceparent"].is_null());

    let answer = get(&app, "/v1/nothing", &[("x-correlation-id", id)]).await;
    assert_eq!(answer.json()["instance"], format!("urn:uuid:{id}"));
}
