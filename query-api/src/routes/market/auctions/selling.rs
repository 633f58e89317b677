//! The auctions in which the asking user sells, the newest first.

use axum::extract::State;
use tidemark_platform::auth::User;
use tidemark_platform::http::Query;
use tidemark_platform::server::ClientAddress;
use tidemark_platform::tidemark::Tidemark;
use tidemark_read_models::market::auction::Auction;
use uuid::Uuid;

use super::AuctionPage;
use crate::app::App;
use crate::documents::{DocumentPage, id_of};
use crate::error::Error;
use crate::freshness::{QueriedShards, query_all_shards};
use crate::routes::Paging;

/// List the auctions in which I sell
#[utoipa::path(
    get,
    path = "/v1/me/auctions",
    operation_id = "list_my_auctions",
    tag = "auctions",
    params(Paging),
    security(("user" = [])),
    responses((status = 200, body = AuctionPage))
)]
pub(super) async fn selling(
    State(app): State<App>,
    client: ClientAddress,
    user: User,
    Tidemark(token): Tidemark,
    Query(paging): Query<Paging>,
) -> Result<DocumentPage, Error> {
    let limit = app.limit(paging.limit)?;
    let scope = format!("auctions of {}", user.id);
    let (before, token) = app.resume(&scope, paging.cursor.as_deref(), token).await?;
    let before = before.unwrap_or(Uuid::max());
    let shards = [QueriedShards::all::<Auction>()];
    let selling = app.freshness.fetch(token, shards, || {
        let query = query_all_shards!(
            String,
            "auction",
            r#"
            select r.doc::text
              from auction_rows r
             where r.generation = s.generation
               and r.seller_id = $1
               and r.id < $2
             order by r.id desc
             limit $3
            "#,
            user.id,
            before,
            limit + 1,
        )
        .fetch_one(&*app.pools.lists);
        app.pools.lists.in_turn(client, query)
    });
    DocumentPage::new(selling.await?, limit, (&app.cursors, &scope), id_of)
}
