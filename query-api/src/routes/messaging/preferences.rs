//! How the asking user is notified of what.

use axum::extract::State;
use tidemark_platform::auth::User;
use tidemark_platform::tidemark::Tidemark;
use tidemark_read_models::messaging::preferences::{Preferences, Row};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::documents::Document;
use crate::error::Error;
use crate::freshness::query_shard_of_row;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(mine))
}

/// Get how I am notified
#[utoipa::path(
    get,
    path = "/v1/me/preferences",
    operation_id = "get_preferences",
    tag = "notifications",
    security(("user" = [])),
    responses((status = 200, body = Row))
)]
async fn mine(
    State(app): State<App>,
    user: User,
    Tidemark(token): Tidemark,
) -> Result<Document, Error> {
    let preferences = app.document::<Preferences, _>(user.id, token, || {
        query_shard_of_row!(
            String,
            "preferences",
            r#"
            select r.doc::text
              from preferences_rows r
             where r.generation = s.generation
               and r.id = $1
            "#,
            user.id,
        )
        .fetch_one(&*app.pools.documents)
    });
    preferences.await
}
