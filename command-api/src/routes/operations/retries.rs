//! The routes by which the operators' tool records that it has an action tried again, or never again.

use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::Deserialize;
use tidemark_domain::operations::retry::{DropAction, Request};
use tidemark_events::RetryId;
use tidemark_events::operations::rebuild::Reason;
use tidemark_events::operations::retry::Name;
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
        .routes(routes!(request))
        .routes(routes!(drop_action))
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct NewRetry {
    /// The reactor whose action is tried again.
    #[schema(value_type = String, min_length = 1, max_length = 100, example = "auction-timer")]
    reactor: Name,
    /// The position of the event that the action follows from.
    #[garde(range(min = 1))]
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991i64, example = 4_711)]
    cause_position: i64,
    /// What tells the action from others that follow from that event.
    #[schema(value_type = String, min_length = 1, max_length = 100, example = "close")]
    target: Name,
    /// The refusal that had ended the action.
    #[schema(value_type = String, min_length = 1, max_length = 100, example = "409 auction_over")]
    refusal: Name,
    /// Why the operator has it tried again. The tool of the build before states none.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 500, example = "The command API refused in error.")]
    reason: Option<Reason>,
}

/// Record that an operator has an action tried again
///
/// Only services may do this.
#[utoipa::path(
    post,
    path = "/v1/retries",
    operation_id = "request_retry",
    tag = "services",
    security(("service" = [])),
    responses((status = 201, body = AcceptedBody), RefusalsOf<Request>)
)]
async fn request(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<NewRetry>,
) -> Result<Response, Problem> {
    let id = new_id();
    let command = Request {
        retry_id: RetryId(id),
        reactor: app.executor.reactor(body.reactor).await?,
        cause: app.executor.log_position(body.cause_position).await?,
        target: body.target,
        refusal: body.refusal,
        reason: body.reason,
    };
    let location = Location("/v1/audit/streams/{id}/events");
    app.create(&caller, id, command, location).await
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct NewDrop {
    /// The reactor whose action is dropped.
    #[schema(value_type = String, min_length = 1, max_length = 100, example = "auction-timer")]
    reactor: Name,
    /// The position of the event that the action follows from.
    #[garde(range(min = 1))]
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991i64, example = 4_711)]
    cause_position: i64,
    /// What tells the action from others that follow from that event.
    #[schema(value_type = String, min_length = 1, max_length = 100, example = "close")]
    target: Name,
    /// Why the operator drops it.
    #[schema(value_type = String, min_length = 1, max_length = 500, example = "The auction was closed by hand.")]
    reason: Reason,
}

/// Record that an operator drops an action
///
/// Only services may do this.
#[utoipa::path(
    post,
    path = "/v1/drops",
    operation_id = "drop_action",
    tag = "services",
    security(("service" = [])),
    responses((status = 201, body = AcceptedBody), RefusalsOf<DropAction>)
)]
async fn drop_action(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<NewDrop>,
) -> Result<Response, Problem> {
    let id = new_id();
    let command = DropAction {
        retry_id: RetryId(id),
        reactor: app.executor.reactor(body.reactor).await?,
        cause: app.executor.log_position(body.cause_position).await?,
        target: body.target,
        reason: body.reason,
    };
    let location = Location("/v1/audit/streams/{id}/events");
    app.create(&caller, id, command, location).await
}
