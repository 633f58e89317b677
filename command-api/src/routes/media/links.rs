//! The route by which owners link to their media.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::ETAG;
use axum::response::Response;
use chrono::{DateTime, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use tidemark_domain::Command;
use tidemark_domain::media::media::LinkMedia;
use tidemark_event_store::MediaLink;
use tidemark_events::MediaId;
use tidemark_events::media::media::Variant;
use tidemark_platform::http::{Json, Path, Problem};
use tidemark_platform::openapi::responses;
use utoipa::openapi::RefOr;
use utoipa::{IntoResponses, ToSchema, openapi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::App;
use crate::caller::{Caller, NoIdempotencyKey};
use crate::error::Error;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(link))
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct NewLink {
    /// The size of the picture.
    variant: Variant,
}

/// A link to media, which is good for whoever has it.
#[derive(Debug, Serialize, ToSchema)]
struct Link {
    /// The path and the query string, at the query API.
    #[schema(
        example = "/v1/media/0199b3a4-5c7e-7d11-8f0e-2b6c9d1e4a77/full?expires=1801396800&signature=3q2-7wAAAAAAAAAAAAAAAA"
    )]
    url: String,
    /// Until when it is good.
    expires_at: DateTime<Utc>,
}

/// How a link is refused.
struct Refused;

impl IntoResponses for Refused {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        responses(LinkMedia::refusals().into_iter().map(Error::from))
    }
}

/// Link to media of mine
///
/// Whoever has the link sees the picture for `media.link_s` seconds (5 minutes), also an avatar that you do not show. Only the owner may
/// do this.
#[utoipa::path(
    post,
    path = "/v1/media/{id}/links",
    operation_id = "link_media",
    tag = "media",
    params(("id" = Uuid, Path, description = "The media")),
    security(("user" = [])),
    responses((status = 200, body = Link), Refused)
)]
async fn link(
    State(app): State<App>,
    _: NoIdempotencyKey,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(body): Json<NewLink>,
) -> Result<Response, Problem> {
    let media_id = MediaId(id);
    let submission = app.submission(&caller, StatusCode::OK, id, LinkMedia { media_id })?;
    let expires = app.clock.now().timestamp() + app.config.media.link_s;
    let link = MediaLink {
        media_id,
        variant: body.variant,
        expires,
    };
    let signature = link.signature(&app.lookup_key);
    let variant = body.variant.name();
    let url = format!("/v1/media/{id}/{variant}?expires={expires}&signature={signature}");
    let expires_at = DateTime::from_timestamp(expires, 0).unwrap_or_default();
    let answer = app.answer_with(submission, |_| Link { url, expires_at });
    let mut answer = answer.await?;
    // A link is at no version.
    answer.headers_mut().remove(ETAG);
    Ok(answer)
}
