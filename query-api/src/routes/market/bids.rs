//! The bids of an auction and those of the asking user, the newest first.
//!
//! A list starts at the position that all shards have applied. Above it, a shard that is behind would
//! leave gaps on pages that are already shown. A page ends at a position, not at a row, which may be gone when the next
//! one is asked for.

use axum::extract::State;
use tidemark_platform::auth::User;
use tidemark_platform::http::{Path, Query};
use tidemark_platform::page_schema;
use tidemark_platform::pagination::Cursors;
use tidemark_platform::server::ClientAddress;
use tidemark_platform::tidemark::Tidemark;
use tidemark_read_models::market::bid::{Bid, Row};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::auctions;
use crate::app::App;
use crate::documents::DocumentPage;
use crate::error::Error;
use crate::freshness::{Fetched, QueriedShards, query_all_shards};
use crate::routes::Paging;

page_schema!(BidPage of Row);

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(of_auction))
        .routes(routes!(mine))
}

/// List the bids of an auction
#[utoipa::path(
    get,
    path = "/v1/auctions/{id}/bids",
    operation_id = "list_bids",
    tag = "bids",
    params(("id" = Uuid, Path, description = "The auction"), Paging),
    responses((status = 200, body = BidPage))
)]
async fn of_auction(
    State(app): State<App>,
    client: ClientAddress,
    Tidemark(token): Tidemark,
    Path(id): Path<Uuid>,
    Query(paging): Query<Paging>,
) -> Result<DocumentPage, Error> {
    let limit = app.limit(paging.limit)?;
    let scope = format!("bids of auction {id}");
    let (before, token) = app
        .resume::<i64>(&scope, paging.cursor.as_deref(), token)
        .await?;
    let shards = [QueriedShards::all::<Bid>()];
    let bids = app.freshness.fetch(token, shards, || {
        let query = query_all_shards!(
            String,
            "bid",
            r#"
            select r.position || ' ' || r.doc::text
              from bid_rows r
             where r.generation = s.generation
               and r.auction_id = $1
               and r.position <= s.position
               and r.position < $2
             order by r.position desc
             limit $3
            "#,
            id,
            before.unwrap_or(i64::MAX),
            limit + 1,
        )
        .fetch_one(&*app.pools.lists);
        app.pools.lists.in_turn(client, query)
    });
    let bids = bids.await?;
    if bids.items.is_empty() {
        // Whether the auction has no bids or does not exist makes a difference to the client.
        auctions::find(&app, token, id).await?;
    }
    page(bids, limit, (&app.cursors, &scope))
}

/// List my bids
#[utoipa::path(
    get,
    path = "/v1/me/bids",
    operation_id = "list_my_bids",
    tag = "bids",
    params(Paging),
    security(("user" = [])),
    responses((status = 200, body = BidPage))
)]
async fn mine(
    State(app): State<App>,
    client: ClientAddress,
    user: User,
    Tidemark(token): Tidemark,
    Query(paging): Query<Paging>,
) -> Result<DocumentPage, Error> {
    let limit = app.limit(paging.limit)?;
    let scope = format!("bids of user {}", user.id);
    let (before, token) = app
        .resume::<i64>(&scope, paging.cursor.as_deref(), token)
        .await?;
    let shards = [QueriedShards::all::<Bid>()];
    let bids = app.freshness.fetch(token, shards, || {
        let query = query_all_shards!(
            String,
            "bid",
            r#"
            select r.position || ' ' || r.doc::text
              from bid_rows r
             where r.generation = s.generation
               and r.bidder_id = $1
               and r.position <= s.position
               and r.position < $2
             order by r.position desc
             limit $3
            "#,
            user.id,
            before.unwrap_or(i64::MAX),
            limit + 1,
        )
        .fetch_one(&*app.pools.lists);
        app.pools.lists.in_turn(client, query)
    });
    page(bids.await?, limit, (&app.cursors, &scope))
}

/// The page of these bids, each of which is a document behind its position.
fn page(
    bids: Fetched<String>,
    limit: i64,
    signed: (&Cursors, &str),
) -> Result<DocumentPage, Error> {
    fn split(bid: &str) -> (&str, &str) {
        bid.split_once(' ').unwrap_or_default()
    }
    let position = |bid: &str| serde_json::from_str::<i64>(split(bid).0);
    let page = DocumentPage::new(bids, limit, signed, position)?;
    Ok(page.map(|bid| split(&bid).1.to_owned()))
}
