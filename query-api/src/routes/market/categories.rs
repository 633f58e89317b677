//! Categories: one by its id or its slug, and all of them as a list.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use tidemark_platform::http::{Path, Query};
use tidemark_platform::page_schema;
use tidemark_platform::server::ClientAddress;
use tidemark_platform::tidemark::{Tidemark, Token};
use tidemark_read_models::market::category::{Category, Row};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::App;
use crate::documents::{Document, DocumentPage};
use crate::error::Error;
use crate::freshness::{QueriedShards, query_all_shards, query_shard_of_row};
use crate::routes::Paging;

page_schema!(CategoryPage of Row);

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get))
        .routes(routes!(list))
}

/// Get a category by its id or its slug
#[utoipa::path(
    get,
    path = "/v1/categories/{id_or_slug}",
    operation_id = "get_category",
    tag = "categories",
    params(("id_or_slug" = String, Path, description = "The id or the slug of the category", min_length = 1, max_length = 60, example = "sextants")),
    responses((status = 200, body = Row))
)]
async fn get(
    State(app): State<App>,
    Tidemark(token): Tidemark,
    Path(id_or_slug): Path<String>,
) -> Result<Document, Error> {
    let id = match Uuid::try_parse(&id_or_slug) {
        Ok(id) => id,
        Err(_) => find_id(&app, token, &id_or_slug).await?,
    };
    let category = app.document::<Category, _>(id, token, || {
        query_shard_of_row!(
            String,
            "category",
            r#"
            select r.doc::text
              from category_rows r
             where r.generation = s.generation
               and r.id = $1
            "#,
            id,
        )
        .fetch_one(&*app.pools.documents)
    });
    category.await
}

/// The id of the category with a slug.
async fn find_id(app: &App, token: Option<Token>, slug: &str) -> Result<Uuid, Error> {
    let shards = [QueriedShards::all::<Category>()];
    let found = app.freshness.fetch(token, shards, || {
        query_all_shards!(
            Uuid,
            "category",
            r#"
            select r.id
              from category_rows r
             where r.generation = s.generation
               and r.slug = $1
            "#,
            slug,
        )
        .fetch_one(&*app.pools.documents)
    });
    found.await?.items.first().copied().ok_or(Error::NotFound)
}

/// Where a page ends.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct PageEnd {
    sort_order: i32,
    id: Uuid,
}

impl PageEnd {
    /// A page end that comes before every category.
    const BEFORE_FIRST: Self = Self {
        sort_order: i32::MIN,
        id: Uuid::nil(),
    };
}

/// List the categories by their sort order
#[utoipa::path(
    get,
    path = "/v1/categories",
    operation_id = "list_categories",
    tag = "categories",
    params(Paging),
    responses((status = 200, body = CategoryPage))
)]
async fn list(
    State(app): State<App>,
    client: ClientAddress,
    Tidemark(token): Tidemark,
    Query(paging): Query<Paging>,
) -> Result<DocumentPage, Error> {
    const SCOPE: &str = "categories";
    let limit = app.limit(paging.limit)?;
    let (after, token) = app.resume(SCOPE, paging.cursor.as_deref(), token).await?;
    let after = after.unwrap_or(PageEnd::BEFORE_FIRST);
    let shards = [QueriedShards::all::<Category>()];
    let found = app.freshness.fetch(token, shards, || {
        let query = query_all_shards!(
            String,
            "category",
            r#"
            select r.doc::text
              from category_rows r
             where r.generation = s.generation
               and (r.sort_order, r.id) > ($1::integer, $2::uuid)
             order by r.sort_order, r.id
             limit $3
            "#,
            after.sort_order,
            after.id,
            limit + 1,
        )
        .fetch_one(&*app.pools.lists);
        app.pools.lists.in_turn(client, query)
    });
    let page_end = |json: &str| serde_json::from_str::<PageEnd>(json);
    DocumentPage::new(found.await?, limit, (&app.cursors, SCOPE), page_end)
}
