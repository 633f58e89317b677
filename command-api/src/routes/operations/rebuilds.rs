//! The route by which the operators' tool records what it does to a generation of a read model.

use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::Deserialize;
use tidemark_domain::operations::rebuild::Record;
use tidemark_events::RebuildId;
use tidemark_events::operations::rebuild::{Order, ReadModelName, Reason};
use tidemark_platform::http::{Json, Problem};
use tidemark_platform::ids::new_id;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::rules::is_needed;
use crate::app::{AcceptedBody, App, Location};
use crate::caller::Caller;
use crate::routes::description::RefusalsOf;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(order))
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct NewRebuild {
    /// The read model whose generations it is about.
    #[schema(value_type = String, min_length = 1, max_length = 100, example = "auction")]
    read_model: ReadModelName,
    /// What the operator orders.
    order: Order,
    /// The number of the generation that is to be dropped; none with another order.
    #[garde(inner(range(min = 1)), custom(is_needed(self.order == Order::Drop)))]
    #[schema(minimum = 1, maximum = 2_147_483_647, example = 1)]
    generation: Option<i32>,
    /// Why the operator orders it.
    #[schema(value_type = String, min_length = 1, max_length = 500, example = "the fold shows what late bids changed")]
    reason: Reason,
}

/// Record what an operator orders about a read model
///
/// Only services may do this.
#[utoipa::path(
    post,
    path = "/v1/rebuilds",
    operation_id = "order_rebuild",
    tag = "services",
    security(("service" = [])),
    request_body(content = NewRebuild, example = json!({
        "read_model": "auction",
        "order": "drop",
        "generation": 1,
        "reason": "the disk is full"
    })),
    responses((status = 201, body = AcceptedBody), RefusalsOf<Record>)
)]
async fn order(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<NewRebuild>,
) -> Result<Response, Problem> {
    let id = new_id();
    let command = Record {
        rebuild_id: RebuildId(id),
        read_model: app.executor.read_model(body.read_model).await?,
        order: body.order,
        generation: body.generation,
        reason: body.reason,
    };
    let location = Location("/v1/audit/streams/{id}/events");
    app.create(&caller, id, command, location).await
}
