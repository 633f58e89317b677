//! Products. A draft exists for its seller alone: for all others it is not there.

use axum::extract::State;
use garde::Validate;
use serde::{Deserialize, Serialize};
use tidemark_platform::auth::Principal;
use tidemark_platform::http::{Path, Problem, Query};
use tidemark_platform::pagination::Page;
use tidemark_platform::token::{Tidemark, Token};
use tidemark_read_models::market::product::{Product, Row, Status};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::answer::{Many, One, id_of};
use crate::app::App;
use crate::error::Error;
use crate::snapshot::Snapshot;
use crate::watch::Rows;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get))
        .routes(routes!(list))
}

/// A product
#[utoipa::path(
    get,
    path = "/v1/products/{id}",
    tag = "products",
    params(("id" = Uuid, Path)),
    security((), ("user" = [])),
    responses((status = 200, body = Row), Problem)
)]
async fn get(
    State(app): State<App>,
    principal: Principal,
    Tidemark(token): Tidemark,
    Path(id): Path<Uuid>,
) -> Result<One, Error> {
    let product = find(&app, token, id).await?;
    let seen = serde_json::from_slice::<Owned>(&product.document)?;
    if seen.is_for(viewer(&principal)) {
        Ok(product)
    } else {
        Err(Error::NotFound)
    }
}

/// Of a document, what says who may see it.
#[derive(Deserialize)]
struct Owned {
    seller_id: Uuid,
    status: Status,
}

impl Owned {
    fn is_for(&self, viewer: Option<Uuid>) -> bool {
        match self.status {
            Status::Draft => viewer == Some(self.seller_id),
            Status::Listed | Status::Withdrawn | Status::Sold => true,
        }
    }
}

fn viewer(principal: &Principal) -> Option<Uuid> {
    match principal {
        Principal::User(user) => Some(user.id),
        Principal::Anonymous | Principal::Service(_) => None,
    }
}

async fn find(app: &App, token: Option<Token>, id: Uuid) -> Result<One, Error> {
    let found = app.document::<Product, _>(id, token, || {
        sqlx::query_as!(
            Snapshot::<String>,
            r#"
            select s.timeline as "timeline!",
                   s.head as "head!",
                   s.position as "position!",
                   s.blocked_at,
                   array(
                       select r.doc::text
                         from product_rows r
                        where r.generation = s.generation
                          and r.id = $1
                   ) as "items!"
              from serving_shards s
             where s.read_model = 'product'
               and s.shard = shard_of($1, s.shards)
            "#,
            id,
        )
        .fetch_one(&app.pool)
    });
    found.await
}

/// Which products.
#[derive(Debug, Deserialize, Serialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only this seller's.
    seller: Option<Uuid>,
    /// Only those filed in this very category.
    category: Option<Uuid>,
    /// Only those in this part of their life.
    status: Option<Status>,
    /// `next` of the page before.
    #[serde(skip_serializing)]
    cursor: Option<String>,
    /// Items on the page.
    #[serde(skip_serializing)]
    limit: Option<i64>,
}

/// Products, the newest first
#[utoipa::path(
    get,
    path = "/v1/products",
    tag = "products",
    params(Filter),
    security((), ("user" = [])),
    responses((status = 200, body = Page<Row>), Problem)
)]
async fn list(
    State(app): State<App>,
    principal: Principal,
    Tidemark(token): Tidemark,
    Query(filter): Query<Filter>,
) -> Result<Many, Error> {
    let limit = app.limit(filter.limit)?;
    let viewer = viewer(&principal);
    let scope = format!(
        "products for {viewer:?} {}",
        serde_json::to_string(&filter)?
    );
    let before = app
        .cursor(&scope, filter.cursor.as_deref())?
        .unwrap_or(Uuid::max());
    let found = app.settled(token, [Rows::any::<Product>()], || {
        sqlx::query_as!(
            Snapshot::<String>,
            r#"
            select s.timeline as "timeline!",
                   s.head as "head!",
                   s.position as "position!",
                   s.blocked_at,
                   array(
                       select r.doc::text
                         from product_rows r
                        where r.generation = s.generation
                          and ($1::uuid is null or r.seller_id = $1)
                          and ($2::uuid is null or r.category_id = $2)
                          and ($3::text is null or r.status = $3)
                          and (r.status <> 'draft' or r.seller_id = $4)
                          and r.id < $5
                        order by r.id desc
                        limit $6
                   ) as "items!"
              from serving s
             where s.read_model = 'product'
            "#,
            filter.seller,
            filter.category,
            filter.status.map(Status::name),
            viewer,
            before,
            limit + 1,
        )
        .fetch_one(&app.pool)
    });
    Many::page(found.await?, limit, (&app.cursors, &scope), id_of)
}
