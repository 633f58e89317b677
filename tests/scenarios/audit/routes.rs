//! The route of readings, with a request that it accepts for each part of the history that may be shown.

use serde_json::{Value, json};
use tidemark_tests::App;

use crate::http::routes::{Audience, Route};

pub(crate) async fn routes(app: &App) -> Vec<Route> {
    let auditor = app.auditor().await;
    let service = "query-api";
    let client = app.service(service);
    let reading = |scope: Value| {
        let (reader_id, session_id) = (auditor.id, auditor.session_id);
        Route::post("/v1/readings", Audience::Service(service), &client)
            .with(json!({"reader_id": reader_id, "session_id": session_id, "scope": scope}))
    };
    let stream = json!({"kind": "stream", "stream_id": auditor.id, "after_version": 0});
    let state = json!({"kind": "state", "stream_id": auditor.id, "version": 1, "at": null});
    let log = json!({
        "kind": "log",
        "after_position": 0,
        "event_type": "user.registered",
        "aggregate": "user",
        "actor": "anonymous",
        "from": "2027-01-01T00:00:00Z",
        "until": "2027-01-02T00:00:00Z",
    });
    vec![
        reading(stream).out_of_range("/scope/after_version", [json!(-1), json!(i64::MIN)]),
        reading(state)
            .optional(&["/scope/version", "/scope/at"])
            .out_of_range("/scope/version", [json!(0), json!(-1)])
            .out_of_range(
                "/scope/at",
                ["2027-06-30T23:59:60Z", "2027-1-1T00:00:00Z"].map(Value::from),
            ),
        reading(log)
            .optional(&[
                "/scope/event_type",
                "/scope/aggregate",
                "/scope/actor",
                "/scope/from",
                "/scope/until",
            ])
            .out_of_range("/scope/after_position", [json!(-1)])
            .line("/scope/event_type", 100)
            .line("/scope/aggregate", 100)
            .line("/scope/actor", 100)
            .out_of_range("/scope/from", ["1969-12-31T23:59:59Z"].map(Value::from))
            .out_of_range(
                "/scope/until",
                ["2027-01-01T00:00:00+0000"].map(Value::from),
            ),
    ]
}
