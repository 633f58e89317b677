//! The route by which the operators' tool has the log go on under a new timeline.

use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::Deserialize;
use tidemark_domain::operations::fork::Declare;
use tidemark_events::ForkId;
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
    OpenApiRouter::new().routes(routes!(declare))
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct NewFork {
    /// The last position that the new timeline shares with the present one. Without it, that is the last one of the
    /// log.
    #[garde(inner(range(min = 0)))]
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991i64, example = 4_711)]
    shared_up_to: Option<i64>,
    /// Why the operator declares it.
    #[schema(value_type = String, min_length = 1, max_length = 500, example = "the backup of Monday was restored")]
    reason: Reason,
}

/// Have the log go on under a new timeline
///
/// Only services may do this.
#[utoipa::path(
    post,
    path = "/v1/forks",
    operation_id = "declare_fork",
    tag = "services",
    security(("service" = [])),
    responses((status = 201, body = AcceptedBody), RefusalsOf<Declare>)
)]
async fn declare(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<NewFork>,
) -> Result<Response, Problem> {
    let shared_up_to = match body.shared_up_to {
        Some(stated) => Some(app.executor.log_position(stated).await?),
        None => None,
    };
    let id = new_id();
    let command = Declare {
        fork_id: ForkId(id),
        shared_up_to,
        reason: body.reason,
    };
    let location = Location("/v1/audit/streams/{id}/events");
    app.create(&caller, id, command, location).await
}
