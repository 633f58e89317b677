//! The route by which a reactor closes digests.

use axum::extract::State;
use axum::response::Response;
use tidemark_domain::messaging::digest::Close;
use tidemark_events::{DigestId, MessageId};
use tidemark_platform::http::{Path, Problem};
use tidemark_platform::ids::new_id;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::{AcceptedBody, App};
use crate::caller::Caller;
use crate::routes::description::RefusalsOf;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(close))
}

/// Close a digest
///
/// The user is sent one mail, which lists what has joined the digest, unless they have switched mails of the category off. Before its
/// window is over the answer is 409 `not_due`. Only services may do this.
#[utoipa::path(
    post,
    path = "/v1/digests/{id}/close",
    operation_id = "close_digest",
    tag = "services",
    params(("id" = Uuid, Path, description = "The digest")),
    security(("service" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<Close>)
)]
async fn close(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let command = Close {
        digest_id: DigestId(id),
        message_id: MessageId(new_id()),
        mails_per_hour_max: app.config.mail.per_hour_max,
        mail_locale: app.mail_locale.clone(),
    };
    app.change(&caller, id, command).await
}
