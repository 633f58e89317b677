//! The route by which operators let messages be sent to an address again.

use axum::extract::State;
use axum::response::Response;
use tidemark_domain::messaging::contact_point::Release;
use tidemark_events::ContactPointId;
use tidemark_platform::http::{Path, Problem};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::{AcceptedBody, App};
use crate::caller::Caller;
use crate::routes::description::RefusalsOf;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(release))
}

/// Let messages be sent to an address again
///
/// Those that were not sent meanwhile stay unsent. Only operators may do this.
#[utoipa::path(
    post,
    path = "/v1/contact-points/{id}/release",
    operation_id = "release_contact_point",
    tag = "operations",
    params(("id" = Uuid, Path, description = "The contact point, as the list of suppressions names it")),
    security(("user" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<Release>)
)]
async fn release(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let command = Release {
        contact_point_id: ContactPointId(id),
    };
    app.change(&caller, id, command).await
}
