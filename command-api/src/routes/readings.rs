//! Readings of history, recorded by the process that shows it.

use axum::{extract::State, response::Response};
use garde::Validate;
use serde::{Deserialize, Serialize};
use tidemark_domain::reading::Record;
use tidemark_events::{ReadingId, UserId, reading::Scope};
use tidemark_platform::http::{Json, Problem};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    app::{App, Done, Order, new_id},
    caller::Caller,
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(record))
}

#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct NewReading {
    /// Who read.
    reader_id: Uuid,
    /// What they were shown.
    #[schema(value_type = Object)]
    scope: Scope,
}

/// Record that an auditor is shown a page of history (services)
#[utoipa::path(
    post,
    path = "/v1/readings",
    tag = "audit",
    security(("service" = [])),
    responses((status = 201, body = Done), Problem)
)]
async fn record(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<NewReading>,
) -> Result<Response, Problem> {
    let id = new_id();
    let command = Record {
        reading_id: ReadingId(id),
        reader_id: UserId(body.reader_id),
        scope: body.scope.clone(),
    };
    app.answer(caller, &body, Order::create(id, command)).await
}
