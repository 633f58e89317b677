//! The route by which the operators' tool records what it does about a row.

use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::Deserialize;
use tidemark_domain::operations::repair::{Remedy, Request};
use tidemark_events::RepairId;
use tidemark_events::operations::rebuild::{ReadModelName, Reason};
use tidemark_events::operations::repair::RowId;
use tidemark_platform::http::{Json, Problem};
use tidemark_platform::ids::new_id;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::rules::is_needed;
use crate::app::{AcceptedBody, App, Location};
use crate::caller::Caller;
use crate::routes::description::RefusalsOf;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(request))
}

/// What is done about a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum NewRemedy {
    /// It is tried to make the parked row again.
    Retry,
    /// The parked row goes on without the first event that it lacks.
    Skip,
    /// The row is made anew from all of its events.
    Rebuild,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct NewRepair {
    /// The read model of the row.
    #[schema(value_type = String, min_length = 1, max_length = 100, example = "auction")]
    read_model: ReadModelName,
    /// The id of the row.
    row_id: Uuid,
    /// The position of the first event that the parked row lacks; none to make a row anew.
    #[garde(inner(range(min = 1)), custom(is_needed(self.remedy != NewRemedy::Rebuild)))]
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991i64, example = 4_711)]
    position: Option<i64>,
    /// What is done about it.
    remedy: NewRemedy,
    /// Why the operator wants it.
    #[schema(value_type = String, min_length = 1, max_length = 500, example = "The cause is gone.")]
    reason: Reason,
}

/// Record what an operator does about a row
///
/// Only services may do this.
#[utoipa::path(
    post,
    path = "/v1/repairs",
    operation_id = "request_repair",
    tag = "services",
    security(("service" = [])),
    responses((status = 201, body = AcceptedBody), RefusalsOf<Request>)
)]
async fn request(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<NewRepair>,
) -> Result<Response, Problem> {
    // A remedy that needs a position has one.
    let position = app.executor.log_position(body.position.unwrap_or_default());
    let position = position.await?;
    let remedy = match body.remedy {
        NewRemedy::Retry => Remedy::Retry(position),
        NewRemedy::Skip => Remedy::Skip(position),
        NewRemedy::Rebuild => Remedy::Rebuild,
    };
    let id = new_id();
    let command = Request {
        repair_id: RepairId(id),
        read_model: app.executor.read_model(body.read_model).await?,
        row_id: RowId(body.row_id),
        remedy,
        reason: body.reason,
    };
    let location = Location("/v1/audit/streams/{id}/events");
    app.create(&caller, id, command, location).await
}
