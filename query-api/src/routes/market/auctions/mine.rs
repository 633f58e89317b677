//! Auctions that concern who asks: those they won, those they sell in. Newest first.

use axum::extract::State;
use tidemark_platform::auth::User;
use tidemark_platform::http::{Problem, Query};
use tidemark_platform::pagination::Page;
use tidemark_platform::token::Tidemark;
use tidemark_read_models::market::auction::{Auction, Row};
use uuid::Uuid;

use crate::answer::{Many, id_of};
use crate::app::App;
use crate::error::Error;
use crate::routes::Paging;
use crate::snapshot::Snapshot;
use crate::watch::Rows;

/// The auctions I won
#[utoipa::path(
    get,
    path = "/v1/me/auctions/won",
    tag = "auctions",
    params(Paging),
    security(("user" = [])),
    responses((status = 200, body = Page<Row>), Problem)
)]
pub(super) async fn won(
    State(app): State<App>,
    user: User,
    Tidemark(token): Tidemark,
    Query(paging): Query<Paging>,
) -> Result<Many, Error> {
    let limit = app.limit(paging.limit)?;
    let scope = format!("auctions won by {}", user.id);
    let before = app
        .cursor(&scope, paging.cursor.as_deref())?
        .unwrap_or(Uuid::max());
    let won = app.settled(token, [Rows::any::<Auction>()], || {
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
                          and r.winner_id = $1
                          and r.id < $2
                        order by r.id desc
                        limit $3
                   ) as "items!"
              from serving s
             where s.read_model = 'auction'
            "#,
            user.id,
            before,
            limit + 1,
        )
        .fetch_one(&app.pool)
    });
    Many::page(won.await?, limit, (&app.cursors, &scope), id_of)
}

/// The auctions I sell in
#[utoipa::path(
    get,
    path = "/v1/me/auctions",
    tag = "auctions",
    params(Paging),
    security(("user" = [])),
    responses((status = 200, body = Page<Row>), Problem)
)]
pub(super) async fn selling(
    State(app): State<App>,
    user: User,
    Tidemark(token): Tidemark,
    Query(paging): Query<Paging>,
) -> Result<Many, Error> {
    let limit = app.limit(paging.limit)?;
    let scope = format!("auctions of {}", user.id);
    let before = app
        .cursor(&scope, paging.cursor.as_deref())?
        .unwrap_or(Uuid::max());
    let selling = app.settled(token, [Rows::any::<Auction>()], || {
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
                          and r.seller_id = $1
                          and r.id < $2
                        order by r.id desc
                        limit $3
                   ) as "items!"
              from serving s
             where s.read_model = 'auction'
            "#,
            user.id,
            before,
            limit + 1,
        )
        .fetch_one(&app.pool)
    });
    Many::page(selling.await?, limit, (&app.cursors, &scope), id_of)
}
