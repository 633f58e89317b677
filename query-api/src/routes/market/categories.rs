//! Categories: one by its id or slug, and the tree as a list.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use tidemark_platform::http::{Path, Problem, Query};
use tidemark_platform::pagination::Page;
use tidemark_platform::token::Tidemark;
use tidemark_read_models::market::category::{Category, Row};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::answer::{Many, One};
use crate::app::App;
use crate::error::Error;
use crate::routes::Paging;
use crate::snapshot::Snapshot;
use crate::watch::Rows;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get))
        .routes(routes!(list))
}

/// A category, by its id or its slug
#[utoipa::path(
    get,
    path = "/v1/categories/{id_or_slug}",
    tag = "categories",
    params(("id_or_slug" = String, Path)),
    responses((status = 200, body = Row), Problem)
)]
async fn get(
    State(app): State<App>,
    Tidemark(token): Tidemark,
    Path(id_or_slug): Path<String>,
) -> Result<One, Error> {
    let id = Uuid::try_parse(&id_or_slug).ok();
    let found = app.settled(token, [Rows::any::<Category>()], || {
        sqlx::query_as!(
            Snapshot::<String>,
            r#"
            select s.timeline as "timeline!",
                   s.head as "head!",
                   s.position as "position!",
                   s.blocked_at,
                   array(
                       select r.doc::text
                         from category_rows r
                        where r.generation = s.generation
                          and (r.id = $1 or r.slug = $2)
                        limit 1
                   ) as "items!"
              from serving s
             where s.read_model = 'category'
            "#,
            id,
            id_or_slug,
        )
        .fetch_one(&app.pool)
    });
    found.await?.one()
}

/// Where a page ended.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Key {
    sort_order: i32,
    id: Uuid,
}

impl Key {
    const START: Self = Self {
        sort_order: i32::MIN,
        id: Uuid::nil(),
    };
}

/// Categories, by their sort order
#[utoipa::path(
    get,
    path = "/v1/categories",
    tag = "categories",
    params(Paging),
    responses((status = 200, body = Page<Row>), Problem)
)]
async fn list(
    State(app): State<App>,
    Tidemark(token): Tidemark,
    Query(paging): Query<Paging>,
) -> Result<Many, Error> {
    const SCOPE: &str = "categories";
    let limit = app.limit(paging.limit)?;
    let after = app
        .cursor(SCOPE, paging.cursor.as_deref())?
        .unwrap_or(Key::START);
    let found = app.settled(token, [Rows::any::<Category>()], || {
        sqlx::query_as!(
            Snapshot::<String>,
            r#"
            select s.timeline as "timeline!",
                   s.head as "head!",
                   s.position as "position!",
                   s.blocked_at,
                   array(
                       select r.doc::text
                         from category_rows r
                        where r.generation = s.generation
                          and (r.sort_order, r.id) > ($1::integer, $2::uuid)
                        order by r.sort_order, r.id
                        limit $3
                   ) as "items!"
              from serving s
             where s.read_model = 'category'
            "#,
            after.sort_order,
            after.id,
            limit + 1,
        )
        .fetch_one(&app.pool)
    });
    let key = |document: &str| serde_json::from_str::<Key>(document);
    Many::page(found.await?, limit, (&app.cursors, SCOPE), key)
}
