//! The routes of readings, each with a request that it accepts.

use serde_json::json;
use tidemark_tests::App;

use crate::http::routes::{Audience, Route};

pub(crate) async fn routes(app: &App) -> Vec<Route> {
    let auditor = app.auditor().await;
    let scope = json!({"kind": "stream", "stream_id": auditor.id, "after_version": 0});
    let reading = json!({"reader_id": auditor.id, "scope": scope});
    let service = "query-api";
    vec![
        Route::post(
            "/v1/readings",
            Audience::Service(service),
            &app.service(service),
        )
        .with(reading),
    ]
}
