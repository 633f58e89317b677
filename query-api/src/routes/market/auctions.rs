//! Auctions: one by its id, as lists, and as a live update.

mod list;
mod live;
mod selling;
mod won;

use axum::extract::State;
use tidemark_platform::http::Path;
use tidemark_platform::page_schema;
use tidemark_platform::tidemark::{Tidemark, Token};
use tidemark_read_models::market::auction::{Auction, Row};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::App;
use crate::documents::Document;
use crate::error::Error;
use crate::freshness::query_shard_of_row;

page_schema!(AuctionPage of Row);

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get))
        .routes(routes!(list::list))
        .routes(routes!(live::live))
        .routes(routes!(won::won))
        .routes(routes!(selling::selling))
}

/// Get an auction
#[utoipa::path(
    get,
    path = "/v1/auctions/{id}",
    operation_id = "get_auction",
    tag = "auctions",
    params(("id" = Uuid, Path, description = "The auction")),
    responses((status = 200, body = Row))
)]
async fn get(
    State(app): State<App>,
    Tidemark(token): Tidemark,
    Path(id): Path<Uuid>,
) -> Result<Document, Error> {
    find(&app, token, id).await
}

/// The auction with this id.
///
/// # Errors
/// As for [`App::document`].
pub(super) async fn find(app: &App, token: Option<Token>, id: Uuid) -> Result<Document, Error> {
    let auction = app.document::<Auction, _>(id, token, || {
        query_shard_of_row!(
            String,
            "auction",
            r#"
            select r.doc::text
              from auction_rows r
             where r.generation = s.generation
               and r.id = $1
            "#,
            id,
        )
        .fetch_one(&*app.pools.documents)
    });
    auction.await
}
