//! Routes by which owners delete media, and by which the keeper of media does what is due.

use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::Deserialize;
use tidemark_domain::media::media::{Delete, DeleteUnshown, ExpireUpload, RecordRemoval};
use tidemark_events::{MediaId, Moment};
use tidemark_platform::http::{Json, Path, Problem};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::{AcceptedBody, App};
use crate::caller::Caller;
use crate::media::periods;
use crate::routes::description::RefusalsOf;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(delete))
        .routes(routes!(delete_unshown))
        .routes(routes!(expire_upload))
        .routes(routes!(record_removal))
}

/// Delete media
///
/// Nothing may show them. Nobody sees them any more, and their bytes are removed later. Only the owner may do this.
#[utoipa::path(
    post,
    path = "/v1/media/{id}/delete",
    operation_id = "delete_media",
    tag = "media",
    params(("id" = Uuid, Path, description = "The media")),
    security(("user" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<Delete>)
)]
async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let command = Delete {
        media_id: MediaId(id),
        periods: periods(&app.config.media),
    };
    app.change(&caller, id, command).await
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct Unshown {
    /// The moment up to which nothing has shown the media, as the event has it that set the timer.
    #[schema(value_type = String, format = "date-time", example = "2027-01-31T12:00:00Z")]
    unshown_until: Moment,
}

/// Delete media that nothing shows
///
/// Only services may do this.
#[utoipa::path(
    post,
    path = "/v1/media/{id}/delete-unshown",
    operation_id = "delete_unshown_media",
    tag = "services",
    params(("id" = Uuid, Path, description = "The media")),
    security(("service" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<DeleteUnshown>)
)]
async fn delete_unshown(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(body): Json<Unshown>,
) -> Result<Response, Problem> {
    let command = DeleteUnshown {
        media_id: MediaId(id),
        unshown_until: body.unshown_until,
        periods: periods(&app.config.media),
    };
    app.change(&caller, id, command).await
}

/// End an upload that was not complete in time
///
/// Only services may do this.
#[utoipa::path(
    post,
    path = "/v1/media/{id}/expire-upload",
    operation_id = "expire_upload",
    tag = "services",
    params(("id" = Uuid, Path, description = "The media")),
    security(("service" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<ExpireUpload>)
)]
async fn expire_upload(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let media_id = MediaId(id);
    app.change(&caller, id, ExpireUpload { media_id }).await
}

/// Record that the bytes of media were removed
///
/// Only services may do this.
#[utoipa::path(
    post,
    path = "/v1/media/{id}/record-removal",
    operation_id = "record_media_removal",
    tag = "services",
    params(("id" = Uuid, Path, description = "The media")),
    security(("service" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<RecordRemoval>)
)]
async fn record_removal(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let media_id = MediaId(id);
    app.change(&caller, id, RecordRemoval { media_id }).await
}
