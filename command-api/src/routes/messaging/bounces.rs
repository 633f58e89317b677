//! The route by which a mail server's report is put on record that a mail could not be delivered.

use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::Deserialize;
use tidemark_domain::messaging::message::Bounce;
use tidemark_events::ContactPointId;
use tidemark_events::messaging::channels::Channel;
use tidemark_events::messaging::message::{Status, Via};
use tidemark_platform::http::{Json, Problem};
use tidemark_platform::ids::new_id;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{AcceptedBody, App};
use crate::caller::Caller;
use crate::routes::description::RefusalsOf;
use crate::routes::messaging::policy_bounces;
use crate::routes::messaging::return_paths::message_at;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(record))
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct BounceReport {
    /// The address to which the report came. It names the message, and a MAC proves that a mail of Tidemark's had it.
    #[garde(length(min = 1, max = 254))]
    #[schema(
        min_length = 1,
        max_length = 254,
        example = "bounces+0193a1f05f0e7cc39d541f2a9c6b7e10d4c3b2a190817263@tidemark.example"
    )]
    return_path: String,
    /// The code that says why, as RFC 3463 has it.
    #[schema(value_type = String, min_length = 1, max_length = 20, example = "5.1.1")]
    status: Status,
}

/// Record that a mail could not be delivered after a server had taken it
///
/// An address that no mail of this deployment had is that of no message. Only services may do this.
#[utoipa::path(
    post,
    path = "/v1/bounces",
    operation_id = "record_bounce",
    tag = "services",
    security(("service" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<Bounce>)
)]
async fn record(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<BounceReport>,
) -> Result<Response, Problem> {
    let message_id = message_at(&body.return_path, &app.lookup_key);
    let command = Bounce {
        message_id,
        status: body.status.clone(),
        via: Via::Report,
        contact_point_id: ContactPointId(new_id()),
    };
    let answer = app.change(&caller, message_id.0, command).await?;
    policy_bounces::count(Channel::Mail, &body.status);
    Ok(answer)
}
