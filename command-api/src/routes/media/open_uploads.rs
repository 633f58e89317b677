//! The route that lists the uploads of a user that are not over, so that one whose URL was lost can be completed, or given up.

use std::collections::BTreeMap;

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use tidemark_domain::media::media::Media as MediaState;
use tidemark_domain::media::media_account::MediaAccount;
use tidemark_events::media::media::Purpose;
use tidemark_events::{MediaAccountId, SessionId, UserId};
use tidemark_platform::auth::User;
use tidemark_platform::http::tus::SpeaksTus;
use tidemark_platform::http::{Json, Problem};
use tidemark_platform::openapi::responses;
use utoipa::openapi::RefOr;
use utoipa::{IntoResponses, ToSchema, openapi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::App;
use crate::error::Error;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// All uploads of a user that are not over.
#[derive(Debug, Serialize, ToSchema)]
struct UploadPage {
    /// The uploads, in the order in which they were opened.
    items: Vec<OpenUpload>,
}

/// An upload that is not over.
#[derive(Debug, Serialize, ToSchema)]
struct OpenUpload {
    /// The id of the upload, and of the media once it is complete.
    id: Uuid,
    /// Where it goes on, and is given up. HEAD of it says how many bytes have arrived.
    #[schema(example = "/v1/uploads/0192f0c1-2a51-7c6e-8d3f-5a4b3c2d1e0f")]
    url: String,
    /// What the file is for.
    purpose: Purpose,
    /// How many bytes the file has.
    #[schema(minimum = 1, maximum = 1_000_000_000_000_000_000i64, example = 150_000)]
    length: i64,
    /// When the upload ends if it is not complete by then.
    expires_at: DateTime<Utc>,
}

/// How the list is refused.
struct NotListed;

impl IntoResponses for NotListed {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        let of_load = [Error::StorageUnavailable, Error::NewerBuild].map(Problem::from);
        responses(
            [SpeaksTus::version_not_supported()]
                .into_iter()
                .chain(of_load),
        )
    }
}

/// List my uploads that are not over
///
/// These are few, so that all of them are listed at once. They count until they are complete, given up, or expired.
#[utoipa::path(
    get,
    path = "/v1/uploads",
    operation_id = "list_uploads",
    tags = ["media", "tus"],
    security(("user" = [])),
    responses((status = 200, body = UploadPage), NotListed)
)]
async fn list(
    State(app): State<App>,
    user: User,
    _: SpeaksTus,
) -> Result<Json<UploadPage>, Problem> {
    let (user_id, session) = (UserId(user.id), SessionId(user.session_id));
    app.executor.check_session(user_id, session).await?;
    let account = MediaAccountId::of(user_id);
    let account = app.executor.load_stream(account.0).await?;
    let mut items = Vec::new();
    for id in account.state::<MediaAccount>().uploads() {
        let loaded = app.executor.load_stream(id.0).await?;
        if let MediaState::Uploading(upload) = loaded.state::<MediaState>() {
            items.push(OpenUpload {
                id: id.0,
                url: format!("/v1/uploads/{id}"),
                purpose: upload.purpose,
                length: upload.bytes,
                expires_at: *upload.expires_at,
            });
        }
    }
    Ok(Json(UploadPage { items }))
}
