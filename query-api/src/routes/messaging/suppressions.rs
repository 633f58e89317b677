//! The addresses that nothing is sent to, the newest contact point first. Only operators see them.

use axum::extract::State;
use sqlx::PgPool;
use tidemark_platform::auth::User;
use tidemark_platform::http::Query;
use tidemark_platform::page_schema;
use tidemark_platform::server::ClientAddress;
use tidemark_platform::tidemark::Tidemark;
use tidemark_read_models::messaging::suppression::{Row, Suppression};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::address::AddressHash;
use super::require_operator;
use crate::app::App;
use crate::documents::{DocumentPage, id_of};
use crate::error::Error;
use crate::freshness::{Fetched, QueriedShards, query_all_shards};
use crate::routes::Paging;

page_schema!(SuppressionPage of Row);

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// List the addresses and telephone numbers that nothing is sent to (for operators)
///
/// Those whose suppression has ended by itself are listed, too. None is shown, but its keyed hash.
#[utoipa::path(
    get,
    path = "/v1/operations/suppressions",
    operation_id = "list_suppressions",
    tag = "messages",
    params(Paging),
    security(("user" = [])),
    responses((status = 200, body = SuppressionPage))
)]
async fn list(
    State(app): State<App>,
    client: ClientAddress,
    user: User,
    Tidemark(token): Tidemark,
    AddressHash(address): AddressHash,
    Query(paging): Query<Paging>,
) -> Result<DocumentPage, Error> {
    require_operator(&user)?;
    let limit = app.limit(paging.limit)?;
    let scope = format!("suppressions of {address:?}");
    let (before, token) = app.resume(&scope, paging.cursor.as_deref(), token).await?;
    let before = before.unwrap_or(Uuid::max());
    let shards = [QueriedShards::all::<Suppression>()];
    let lists = &app.pools.lists;
    let query = || {
        let select = select(lists, address.as_deref(), before, limit + 1);
        lists.in_turn(client, select)
    };
    let found = app.freshness.fetch(token, shards, query).await?;
    DocumentPage::new(found, limit, (&app.cursors, &scope), id_of)
}

async fn select(
    pool: &PgPool,
    address: Option<&str>,
    before: Uuid,
    limit: i64,
) -> sqlx::Result<Fetched<String>> {
    let Some(address) = address else {
        let all = query_all_shards!(
            String,
            "suppression",
            r#"
            select r.doc::text
              from suppression_rows r
             where r.generation = s.generation
               and r.id < $1
             order by r.id desc
             limit $2
            "#,
            before,
            limit,
        );
        return all.fetch_one(pool).await;
    };
    let of_address = query_all_shards!(
        String,
        "suppression",
        r#"
        select r.doc::text
          from suppression_rows r
         where r.generation = s.generation
           and r.address_hash = $1
           and r.id < $2
         order by r.id desc nulls last
         limit $3
        "#,
        address,
        before,
        limit,
    );
    of_address.fetch_one(pool).await
}
