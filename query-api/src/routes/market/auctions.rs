//! Auctions: one by its id, as a list, as a live update.

mod list;
mod live;
mod mine;

use axum::extract::State;
use tidemark_platform::http::{Path, Problem};
use tidemark_platform::token::{Tidemark, Token};
use tidemark_read_models::market::auction::{Auction, Row};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::answer::One;
use crate::app::App;
use crate::error::Error;
use crate::snapshot::Snapshot;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get))
        .routes(routes!(list::list))
        .routes(routes!(live::live))
        .routes(routes!(mine::won))
        .routes(routes!(mine::selling))
}

/// An auction
#[utoipa::path(
    get,
    path = "/v1/auctions/{id}",
    tag = "auctions",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = Row), Problem)
)]
async fn get(
    State(app): State<App>,
    Tidemark(token): Tidemark,
    Path(id): Path<Uuid>,
) -> Result<One, Error> {
    find(&app, token, id).await
}

/// The auction, if there is one.
pub(super) async fn find(app: &App, token: Option<Token>, id: Uuid) -> Result<One, Error> {
    let found = app.document::<Auction, _>(id, token, || {
        sqlx::query_as!(
            Snapshot::<String>,
            r#"
            select s.timeline as "timeline!",
                   s.head as "head!",
                   s.position as "position!",
                   s.blocked_at,
                   array(
                       select r.doc::text
                         from auction_rows r
                        where r.generation = s.generation
                          and r.id = $1
                   ) as "items!"
              from serving_shards s
             where s.read_model = 'auction'
               and s.shard = shard_of($1, s.shards)
            "#,
            id,
        )
        .fetch_one(&app.pool)
    });
    found.await
}
