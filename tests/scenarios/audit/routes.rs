//! The routes of readings, each with a request that it accepts.

use serde_json::json;
use tidemark_tests::App;

use crate::http::routes::{Audience, Route};

pub(crate) async fn routes(app: &App) -> Vec<Route> {
    let auditor = app.auditor().await;
    let scope = json!({"kind": "stream", "stream_id": auditor.id, "after_version": 0});
    let reading =
        json!({"reader_id": auditor.id, "session_id": auditor.session_id, "scope": scope});
    let state_at =
        |at: &str| json!({"kind": "state", "stream_id": auditor.id, "version": null, "at": at});
    let log = |filter: &str, value: &str| {
        let mut scope = json!({"kind": "log", "after_position": 0});
        scope[filter] = value.into();
        scope
    };
    let scopes = [
        state_at("2027-06-30T23:59:60Z"),
        state_at("2027-1-1T00:00:00Z"),
        log("from", "1969-12-31T23:59:59Z"),
        log("until", "2027-01-01T00:00:00+0000"),
        log("event_type", "a\u{202e}b"),
        log("aggregate", ""),
        log("actor", &"a".repeat(101)),
    ];
    let service = "query-api";
    vec![
        Route::post(
            "/v1/readings",
            Audience::Service(service),
            &app.service(service),
        )
        .with(reading)
        .out_of_range("/scope", scopes),
    ]
}
