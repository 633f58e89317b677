//! Products: one by its id, and as a list. Only its seller sees a draft; for everybody else it does not
//! exist.

use axum::extract::State;
use garde::Validate;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tidemark_platform::auth::Principal;
use tidemark_platform::http::{Path, Query};
use tidemark_platform::page_schema;
use tidemark_platform::server::ClientAddress;
use tidemark_platform::tidemark::{Tidemark, Token};
use tidemark_read_models::market::product::{Product, Row, Status};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::App;
use crate::documents::{Document, DocumentPage, id_of};
use crate::error::Error;
use crate::freshness::{Fetched, QueriedShards, query_all_shards, query_shard_of_row};
use crate::routes::is_no_filter;

page_schema!(ProductPage of Row);

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get))
        .routes(routes!(list))
}

/// Get a product
#[utoipa::path(
    get,
    path = "/v1/products/{id}",
    operation_id = "get_product",
    tag = "products",
    params(("id" = Uuid, Path, description = "The product")),
    security((), ("user" = [])),
    responses((status = 200, body = Row))
)]
async fn get(
    State(app): State<App>,
    principal: Principal,
    Tidemark(token): Tidemark,
    Path(id): Path<Uuid>,
) -> Result<Document, Error> {
    let product = find(&app, token, id).await?;
    let visibility = serde_json::from_slice::<Visibility>(&product.json)?;
    if visibility.allows(viewer(&principal)) {
        Ok(product)
    } else {
        Err(Error::NotFound)
    }
}

/// The part of a document that says who may see it.
#[derive(Deserialize)]
struct Visibility {
    seller_id: Uuid,
    status: Status,
}

impl Visibility {
    fn allows(&self, viewer: Option<Uuid>) -> bool {
        match self.status {
            Status::Draft => viewer == Some(self.seller_id),
            Status::Listed | Status::Withdrawn | Status::Sold => true,
        }
    }
}

/// The user who asks, if it is a user.
fn viewer(principal: &Principal) -> Option<Uuid> {
    match principal {
        Principal::User(user) => Some(user.id),
        Principal::Anonymous | Principal::Service(_) => None,
    }
}

async fn find(app: &App, token: Option<Token>, id: Uuid) -> Result<Document, Error> {
    let product = app.document::<Product, _>(id, token, || {
        query_shard_of_row!(
            String,
            "product",
            r#"
            select r.doc::text
              from product_rows r
             where r.generation = s.generation
               and r.id = $1
            "#,
            id,
        )
        .fetch_one(&*app.pools.documents)
    });
    product.await
}

/// The products that are asked for.
#[derive(Debug, Deserialize, Serialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only products of this seller.
    seller: Option<Uuid>,
    /// Only products in this category itself, without the categories below it.
    category: Option<Uuid>,
    /// Only products with this status.
    status: Option<Status>,
    /// `next` of the previous page. Without it, the list starts at its beginning.
    #[serde(skip_serializing_if = "is_no_filter")]
    #[param(example = "WzEsNDcxMSwiMDE5OWIzYTQiXZ0s3m")]
    cursor: Option<String>,
    /// The number of items on the page.
    #[serde(skip_serializing_if = "is_no_filter")]
    #[param(minimum = 1)]
    limit: Option<i64>,
}

/// List products, the newest first
#[utoipa::path(
    get,
    path = "/v1/products",
    operation_id = "list_products",
    tag = "products",
    params(Filter),
    security((), ("user" = [])),
    responses((status = 200, body = ProductPage))
)]
async fn list(
    State(app): State<App>,
    client: ClientAddress,
    principal: Principal,
    Tidemark(token): Tidemark,
    Query(filter): Query<Filter>,
) -> Result<DocumentPage, Error> {
    let limit = app.limit(filter.limit)?;
    let viewer = viewer(&principal);
    let scope = format!(
        "products for {viewer:?} {}",
        serde_json::to_string(&filter)?
    );
    let (before, token) = app.resume(&scope, filter.cursor.as_deref(), token).await?;
    let before = before.unwrap_or(Uuid::max());
    let shards = [QueriedShards::all::<Product>()];
    let lists = &app.pools.lists;
    let query = || lists.in_turn(client, select(lists, &filter, viewer, before, limit + 1));
    let found = app.freshness.fetch(token, shards, query).await?;
    DocumentPage::new(found, limit, (&app.cursors, &scope), id_of)
}

/// Each shape of a filter has a statement and an index. A statement merges the lists of the statuses that the filter
/// admits; the drafts among them are those of the viewer, whoever else's products are listed.
async fn select(
    pool: &PgPool,
    filter: &Filter,
    viewer: Option<Uuid>,
    before: Uuid,
    limit: i64,
) -> sqlx::Result<Fetched<String>> {
    let admits = |status: &Status| filter.status.is_none_or(|only| only == *status);
    let public = [Status::Listed, Status::Withdrawn, Status::Sold];
    let public = public.into_iter().filter(admits);
    let public: Vec<_> = public.map(|status| status.name().to_owned()).collect();
    let drafts_of = viewer.filter(|viewer| {
        admits(&Status::Draft) && filter.seller.is_none_or(|seller| seller == *viewer)
    });
    macro_rules! select_of {
        ($seller:literal, $category:literal) => {
            query_all_shards!(
                String,
                "product",
                r#"
                select merged.doc::text
                  from (
                       select of_status.*
                         from unnest($1::text[]) as admitted (status)
                        cross join lateral (
                              select r.id,
                                     r.doc
                                from product_rows r
                               where r.generation = s.generation
                                 and r.status = admitted.status
                                 and "# $seller r#"
                                 and "# $category r#"
                                 and r.id < $5
                               order by r.id desc nulls last
                               limit $6
                              ) of_status
                        union all
                       (select r.id,
                               r.doc
                          from product_rows r
                         where r.generation = s.generation
                           and r.status = 'draft'
                           and r.seller_id = $4::uuid
                           and "# $category r#"
                           and r.id < $5
                         order by r.id desc nulls last
                         limit $6)
                       ) merged
                 order by merged.id desc
                 limit $6
                "#,
                &public,
                filter.seller,
                filter.category,
                drafts_of,
                before,
                limit,
            )
            .fetch_one(pool)
            .await
        };
    }
    match (filter.seller, filter.category) {
        (None, None) => select_of!("$2::uuid is null", "$3::uuid is null"),
        (None, Some(_)) => select_of!("$2::uuid is null", "r.category_id = $3"),
        (Some(_), None) => select_of!("r.seller_id = $2", "$3::uuid is null"),
        (Some(_), Some(_)) => select_of!("r.seller_id = $2", "r.category_id = $3"),
    }
}
