//! How many notifications the asking user has not read, as a document and as a live update.

mod live;

use axum::extract::State;
use tidemark_platform::auth::User;
use tidemark_platform::tidemark::Tidemark;
use tidemark_read_models::messaging::inbox::{Inbox, Row};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::documents::Document;
use crate::error::Error;
use crate::freshness::query_shard_of_row;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(mine))
        .routes(routes!(live::live))
}

/// Get how many notifications I have not read
#[utoipa::path(
    get,
    path = "/v1/me/inbox",
    operation_id = "get_inbox",
    tag = "notifications",
    security(("user" = [])),
    responses((status = 200, body = Row))
)]
async fn mine(
    State(app): State<App>,
    user: User,
    Tidemark(token): Tidemark,
) -> Result<Document, Error> {
    let inbox = app.document::<Inbox, _>(user.id, token, || {
        query_shard_of_row!(
            String,
            "inbox",
            r#"
            select r.doc::text
              from inbox_rows r
             where r.generation = s.generation
               and r.id = $1
            "#,
            user.id,
        )
        .fetch_one(&*app.pools.documents)
    });
    inbox.await
}
