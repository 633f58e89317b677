//! The routes by which the operators' tool tells the relay how to go on publishing the log.

use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::Deserialize;
use tidemark_domain::operations::publication::{Adopt, Republish};
use tidemark_events::PublicationId;
use tidemark_events::operations::rebuild::Reason;
use tidemark_platform::http::{Json, Problem};
use tidemark_platform::ids::new_id;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{AcceptedBody, App, Location};
use crate::caller::Caller;
use crate::routes::description::RefusalsOf;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(adopt))
        .routes(routes!(republish))
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct NewAdoption {
    /// Why the operator orders it.
    #[schema(value_type = String, min_length = 1, max_length = 500, example = "the backup of Monday was restored")]
    reason: Reason,
}

/// Have the topics keep what they hold, and the log published behind it
///
/// They may hold events that this log does not have. The relay goes on behind them, and publishes every event of the log
/// that the topics do not hold. Only services may do this.
#[utoipa::path(
    post,
    path = "/v1/adoptions",
    operation_id = "adopt_topics",
    tag = "services",
    security(("service" = [])),
    responses((status = 201, body = AcceptedBody), RefusalsOf<Adopt>)
)]
async fn adopt(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<NewAdoption>,
) -> Result<Response, Problem> {
    let id = new_id();
    let command = Adopt {
        publication_id: PublicationId(id),
        reason: body.reason,
    };
    let location = Location("/v1/audit/streams/{id}/events");
    app.create(&caller, id, command, location).await
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct NewRepublication {
    /// The position of the first event that is published again, which the log must hold.
    #[garde(range(min = 1))]
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991i64, example = 1)]
    from_position: i64,
    /// Why the operator orders it.
    #[schema(value_type = String, min_length = 1, max_length = 500, example = "a topic had lost records")]
    reason: Reason,
}

/// Have the log published again, behind what the topics hold
///
/// Only services may do this.
#[utoipa::path(
    post,
    path = "/v1/republications",
    operation_id = "republish_log",
    tag = "services",
    security(("service" = [])),
    responses((status = 201, body = AcceptedBody), RefusalsOf<Republish>)
)]
async fn republish(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<NewRepublication>,
) -> Result<Response, Problem> {
    let id = new_id();
    let command = Republish {
        publication_id: PublicationId(id),
        from: app.executor.log_position(body.from_position).await?,
        reason: body.reason,
    };
    let location = Location("/v1/audit/streams/{id}/events");
    app.create(&caller, id, command, location).await
}
