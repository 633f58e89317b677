//! Sellers, as everybody sees them. Users give their display name so that others read it, and who sells is asked to
//! be known by it; so it is unsealed here for anybody. Nothing else of a user is, and of users who do not sell nothing
//! at all.

use axum::extract::State;
use serde::Serialize;
use tidemark_events::identity::user::Role;
use tidemark_platform::http::Path;
use tidemark_platform::tidemark::Tidemark;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::profile;
use crate::app::App;
use crate::documents::Document;
use crate::error::Error;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get))
}

/// A seller, as everybody sees them.
#[derive(Debug, Serialize, ToSchema)]
struct Seller {
    /// The id of the user.
    id: Uuid,
    /// The name that others see; null once it is erased.
    #[schema(required, example = "Ada's Attic")]
    display_name: Option<String>,
    /// The media that the seller is seen by; null if there are none. The bytes are at `/v1/media/{avatar}/{variant}`.
    #[schema(required)]
    avatar: Option<Uuid>,
    /// The version of the stream of the user.
    #[schema(minimum = 1, example = 7)]
    version: i64,
}

/// Get a seller
#[utoipa::path(
    get,
    path = "/v1/sellers/{id}",
    operation_id = "get_seller",
    tag = "users",
    params(("id" = Uuid, Path, description = "The seller")),
    responses((status = 200, body = Seller))
)]
async fn get(
    State(app): State<App>,
    Tidemark(token): Tidemark,
    Path(id): Path<Uuid>,
) -> Result<Document, Error> {
    let (token, mark, row) = profile::find(&app, token, id).await?;
    if !row.roles.contains(&Role::Seller) {
        return Err(Error::NotFound);
    }
    let name = app.subject_keys.unseal("display_name", &row.display_name);
    let seller = Seller {
        id,
        display_name: name.await?,
        avatar: row.avatar.map(|it| it.0),
        version: row.version,
    };
    Document::made(token, mark, &seller)
}
