//! Auctions: announced by sellers, bid on by buyers, opened and closed by a timer.

use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::{Deserialize, Serialize};
use tidemark_domain::market::auction::{
    AMOUNT_MAX, ANTI_SNIPING_WINDOW_MAX_S, BuyNow, Cancel, Close, Open, PlaceBid, Schedule,
};
use tidemark_events::{AuctionId, ProductId, ReserveId, Timestamp};
use tidemark_platform::http::{Json, Path, Problem};
use tidemark_platform::ids::new_id;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::money::Price;
use crate::app::{AcceptedBody, App};
use crate::caller::Caller;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(schedule))
        .routes(routes!(place_bid))
        .routes(routes!(buy_now))
        .routes(routes!(cancel))
        .routes(routes!(open))
        .routes(routes!(close))
}

#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct NewAuction {
    /// What is sold: a listed product of yours.
    product_id: Uuid,
    /// The lowest first bid.
    #[garde(dive)]
    starting_price: Price,
    /// By how much a bid must exceed the one before, in minor units of the same currency.
    #[garde(range(min = 1, max = AMOUNT_MAX))]
    #[schema(minimum = 1)]
    minimum_increment: i64,
    /// The hidden price below which it does not sell, in minor units of the same currency.
    #[garde(range(min = 1, max = AMOUNT_MAX))]
    #[schema(minimum = 1)]
    reserve_price: Option<i64>,
    /// The price that ends it at once, until the first bid, in minor units of the same currency.
    #[garde(range(min = 1, max = AMOUNT_MAX))]
    #[schema(minimum = 1)]
    buy_now_price: Option<i64>,
    /// From when bids are taken; now, if left out.
    #[schema(value_type = Option<String>, format = DateTime)]
    starts_at: Option<Timestamp>,
    /// Until when bids are taken, unless a late one extends it.
    #[schema(value_type = String, format = DateTime)]
    ends_at: Timestamp,
    /// A bid in this many last seconds makes the auction last as long again from the bid on.
    #[garde(range(max = ANTI_SNIPING_WINDOW_MAX_S))]
    #[schema(maximum = 3_600)]
    #[serde(default)]
    anti_sniping_window_s: u32,
}

#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewBid {
    /// How much, at least `minimum_next_bid` of the auction.
    #[garde(dive)]
    amount: Price,
}

/// Announce an auction (the product's seller)
#[utoipa::path(
    post,
    path = "/v1/auctions",
    tag = "auctions",
    security(("user" = [])),
    responses((status = 201, body = AcceptedBody), Problem)
)]
async fn schedule(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<NewAuction>,
) -> Result<Response, Problem> {
    let id = new_id();
    let command = Schedule {
        auction_id: AuctionId(id),
        product_id: ProductId(body.product_id),
        reserve: body
            .reserve_price
            .map(|amount| (ReserveId(new_id()), amount)),
        starting_price: body.starting_price.into(),
        minimum_increment: body.minimum_increment,
        buy_now_price: body.buy_now_price,
        starts_at: body.starts_at,
        ends_at: body.ends_at,
        anti_sniping_window_s: body.anti_sniping_window_s,
    };
    app.create(&caller, &body, id, command).await
}

/// Bid (buyers, not the seller)
#[utoipa::path(
    post,
    path = "/v1/auctions/{id}/bids",
    tag = "auctions",
    params(("id" = Uuid, Path, description = "The auction")),
    security(("user" = [])),
    responses((status = 201, body = AcceptedBody, description = "The auction, with this bid the highest"), Problem)
)]
async fn place_bid(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(body): Json<NewBid>,
) -> Result<Response, Problem> {
    let command = PlaceBid {
        auction_id: AuctionId(id),
        amount: body.amount.into(),
    };
    app.create(&caller, &body, id, command).await
}

/// Buy at the buy-now price, until the first bid (buyers, not the seller)
#[utoipa::path(
    post,
    path = "/v1/auctions/{id}/buy-now",
    tag = "auctions",
    params(("id" = Uuid, Path, description = "The auction")),
    security(("user" = [])),
    responses((status = 200, body = AcceptedBody), Problem)
)]
async fn buy_now(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let command = BuyNow {
        auction_id: AuctionId(id),
    };
    app.change(&caller, &(), id, command).await
}

/// Call an auction off before any bid (its seller)
#[utoipa::path(
    post,
    path = "/v1/auctions/{id}/cancel",
    tag = "auctions",
    params(("id" = Uuid, Path, description = "The auction")),
    security(("user" = [])),
    responses((status = 200, body = AcceptedBody), Problem)
)]
async fn cancel(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let command = Cancel {
        auction_id: AuctionId(id),
    };
    app.change(&caller, &(), id, command).await
}

/// Open an auction whose time has come (the timer)
///
/// Before its time: 409 `not_due`, with `retry_at`.
#[utoipa::path(
    post,
    path = "/v1/auctions/{id}/open",
    tag = "auctions",
    params(("id" = Uuid, Path, description = "The auction")),
    security(("service" = [])),
    responses((status = 200, body = AcceptedBody), Problem)
)]
async fn open(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let command = Open {
        auction_id: AuctionId(id),
    };
    app.change(&caller, &(), id, command).await
}

/// Close an auction whose time is up (the timer)
///
/// Before its time: 409 `not_due`, with `retry_at`.
#[utoipa::path(
    post,
    path = "/v1/auctions/{id}/close",
    tag = "auctions",
    params(("id" = Uuid, Path, description = "The auction")),
    security(("service" = [])),
    responses((status = 200, body = AcceptedBody), Problem)
)]
async fn close(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let command = Close {
        auction_id: AuctionId(id),
    };
    app.change(&caller, &(), id, command).await
}
