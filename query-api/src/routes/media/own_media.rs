//! The media of the asking user: one by its id, and all, the newest first.

use axum::extract::State;
use tidemark_platform::auth::User;
use tidemark_platform::http::{Path, Query};
use tidemark_platform::page_schema;
use tidemark_platform::server::ClientAddress;
use tidemark_platform::tidemark::{Tidemark, Token};
use tidemark_read_models::media::media::{Media, Row};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::App;
use crate::documents::{Document, DocumentPage, id_of};
use crate::error::Error;
use crate::freshness::{QueriedShards, query_all_shards, query_shard_of_row};
use crate::routes::Paging;

page_schema!(MediaPage of Row);

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get))
        .routes(routes!(list))
}

/// Get media of mine
///
/// Media exist here once their upload is complete, until they are deleted.
#[utoipa::path(
    get,
    path = "/v1/media/{id}",
    operation_id = "get_media",
    tag = "media",
    params(("id" = Uuid, Path, description = "The media")),
    security(("user" = [])),
    responses((status = 200, body = Row))
)]
async fn get(
    State(app): State<App>,
    user: User,
    Tidemark(token): Tidemark,
    Path(id): Path<Uuid>,
) -> Result<Document, Error> {
    let (document, row) = find(&app, token, id).await?;
    if row.owner_id.0 == user.id {
        Ok(document)
    } else {
        Err(Error::NotFound)
    }
}

/// The media with this id.
pub(super) async fn find(
    app: &App,
    token: Option<Token>,
    id: Uuid,
) -> Result<(Document, Row), Error> {
    let media = app.document::<Media, _>(id, token, || {
        query_shard_of_row!(
            String,
            "media",
            r#"
            select r.doc::text
              from media_rows r
             where r.generation = s.generation
               and r.id = $1
            "#,
            id,
        )
        .fetch_one(&*app.pools.documents)
    });
    let document = media.await?;
    let row = serde_json::from_slice(&document.json)?;
    Ok((document, row))
}

/// List my media, the newest first
#[utoipa::path(
    get,
    path = "/v1/media",
    operation_id = "list_media",
    tag = "media",
    params(Paging),
    security(("user" = [])),
    responses((status = 200, body = MediaPage))
)]
async fn list(
    State(app): State<App>,
    client: ClientAddress,
    user: User,
    Tidemark(token): Tidemark,
    Query(paging): Query<Paging>,
) -> Result<DocumentPage, Error> {
    let limit = app.limit(paging.limit)?;
    let scope = format!("media of {}", user.id);
    let (before, token) = app.resume(&scope, paging.cursor.as_deref(), token).await?;
    let before = before.unwrap_or(Uuid::max());
    let shards = [QueriedShards::all::<Media>()];
    let media = app.freshness.fetch(token, shards, || {
        let query = query_all_shards!(
            String,
            "media",
            r#"
            select r.doc::text
              from media_rows r
             where r.generation = s.generation
               and r.owner_id = $1
               and r.id < $2
             order by r.id desc nulls last
             limit $3
            "#,
            user.id,
            before,
            limit + 1,
        )
        .fetch_one(&*app.pools.lists);
        app.pools.lists.in_turn(client, query)
    });
    DocumentPage::new(media.await?, limit, (&app.cursors, &scope), id_of)
}
