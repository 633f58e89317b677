//! The auctions that the asking user watches, the last one first. Nobody else reads them.

use axum::extract::State;
use tidemark_platform::auth::User;
use tidemark_platform::http::Query;
use tidemark_platform::page_schema;
use tidemark_platform::server::ClientAddress;
use tidemark_platform::tidemark::Tidemark;
use tidemark_read_models::market::watch::{Row, Watch};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::App;
use crate::documents::{DocumentPage, id_of};
use crate::error::Error;
use crate::freshness::{QueriedShards, query_all_shards};
use crate::routes::Paging;

page_schema!(WatchPage of Row);

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(mine))
}

/// List the auctions that I watch
///
/// They stay in the list when they are over, until you stop watching them.
#[utoipa::path(
    get,
    path = "/v1/me/watches",
    operation_id = "list_my_watches",
    tag = "auctions",
    params(Paging),
    security(("user" = [])),
    responses((status = 200, body = WatchPage))
)]
async fn mine(
    State(app): State<App>,
    client: ClientAddress,
    user: User,
    Tidemark(token): Tidemark,
    Query(paging): Query<Paging>,
) -> Result<DocumentPage, Error> {
    let limit = app.limit(paging.limit)?;
    let scope = format!("watches of user {}", user.id);
    let (before, token) = app.resume(&scope, paging.cursor.as_deref(), token).await?;
    let before = before.unwrap_or(Uuid::max());
    let shards = [QueriedShards::all::<Watch>()];
    let lists = &app.pools.lists;
    let query = || {
        let query = query_all_shards!(
            String,
            "watch",
            r#"
            select r.doc::text
              from watch_rows r
             where r.generation = s.generation
               and r.user_id = $1
               and r.id < $2
             order by r.id desc nulls last
             limit $3
            "#,
            user.id,
            before,
            limit + 1,
        )
        .fetch_one(&**lists);
        lists.in_turn(client, query)
    };
    let found = app.freshness.fetch(token, shards, query).await?;
    DocumentPage::new(found, limit, (&app.cursors, &scope), id_of)
}
