//! Bids: those of an auction, those of who asks. Newest first, from where all shards are on: above that,
//! one might be missing that belongs on a page already shown.

use axum::extract::State;
use tidemark_platform::auth::User;
use tidemark_platform::http::{Path, Problem, Query};
use tidemark_platform::pagination::Page;
use tidemark_platform::token::Tidemark;
use tidemark_read_models::market::bid::{Bid, Row};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::auctions;
use crate::answer::{Many, id_of};
use crate::app::App;
use crate::error::Error;
use crate::routes::Paging;
use crate::snapshot::Snapshot;
use crate::watch::Rows;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(of_auction))
        .routes(routes!(mine))
}

/// The bids of an auction
#[utoipa::path(
    get,
    path = "/v1/auctions/{id}/bids",
    tag = "bids",
    params(("id" = Uuid, Path), Paging),
    responses((status = 200, body = Page<Row>), Problem)
)]
async fn of_auction(
    State(app): State<App>,
    Tidemark(token): Tidemark,
    Path(id): Path<Uuid>,
    Query(paging): Query<Paging>,
) -> Result<Many, Error> {
    let limit = app.limit(paging.limit)?;
    let scope = format!("bids of auction {id}");
    let before = app.cursor::<Uuid>(&scope, paging.cursor.as_deref())?;
    let bids = app.settled(token, [Rows::any::<Bid>()], || {
        sqlx::query_as!(
            Snapshot::<String>,
            r#"
            select s.timeline as "timeline!",
                   s.head as "head!",
                   s.position as "position!",
                   s.blocked_at,
                   array(
                       select r.doc::text
                         from bid_rows r
                        where r.generation = s.generation
                          and r.auction_id = $1
                          and r.position < coalesce((
                                  select b.position
                                    from bid_rows b
                                   where b.generation = s.generation
                                     and b.id = $2
                              ), s.position + 1)
                        order by r.position desc
                        limit $3
                   ) as "items!"
              from serving s
             where s.read_model = 'bid'
            "#,
            id,
            before,
            limit + 1,
        )
        .fetch_one(&app.pool)
    });
    let bids = bids.await?;
    if bids.items.is_empty() {
        // No bid, or no auction?
        auctions::find(&app, token, id).await?;
    }
    Many::page(bids, limit, (&app.cursors, &scope), id_of)
}

/// My bids
#[utoipa::path(
    get,
    path = "/v1/me/bids",
    tag = "bids",
    params(Paging),
    security(("user" = [])),
    responses((status = 200, body = Page<Row>), Problem)
)]
async fn mine(
    State(app): State<App>,
    user: User,
    Tidemark(token): Tidemark,
    Query(paging): Query<Paging>,
) -> Result<Many, Error> {
    let limit = app.limit(paging.limit)?;
    let scope = format!("bids of user {}", user.id);
    let before = app.cursor::<Uuid>(&scope, paging.cursor.as_deref())?;
    let bids = app.settled(token, [Rows::any::<Bid>()], || {
        sqlx::query_as!(
            Snapshot::<String>,
            r#"
            select s.timeline as "timeline!",
                   s.head as "head!",
                   s.position as "position!",
                   s.blocked_at,
                   array(
                       select r.doc::text
                         from bid_rows r
                        where r.generation = s.generation
                          and r.bidder_id = $1
                          and r.position < coalesce((
                                  select b.position
                                    from bid_rows b
                                   where b.generation = s.generation
                                     and b.id = $2
                              ), s.position + 1)
                        order by r.position desc
                        limit $3
                   ) as "items!"
              from serving s
             where s.read_model = 'bid'
            "#,
            user.id,
            before,
            limit + 1,
        )
        .fetch_one(&app.pool)
    });
    Many::page(bids.await?, limit, (&app.cursors, &scope), id_of)
}
