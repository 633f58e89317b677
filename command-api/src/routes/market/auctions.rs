//! Routes of auctions and bids: sellers schedule auctions, buyers bid, and a service opens and closes
//! auctions when their time has come.

use axum::extract::State;
use axum::response::Response;
use chrono::TimeDelta;
use garde::Validate;
use serde::Deserialize;
use tidemark_domain::Refusal;
use tidemark_domain::market::auction::{
    ANTI_SNIPING_WINDOW_MAX_S, BuyNow, Cancel, Close, Open, PlaceBid, Schedule,
};
use tidemark_events::{Amount, AuctionId, Moment, Price, ProductId, ReserveId, Timestamp};
use tidemark_platform::http::{Faults, Json, Path, Problem, Stated};
use tidemark_platform::ids::new_id;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::{AcceptedBody, App, Location};
use crate::caller::Caller;
use crate::error::{Error, without_faults};
use crate::routes::description::RefusalsOf;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(schedule))
        .routes(routes!(place_bid))
        .routes(routes!(buy_now))
        .routes(routes!(cancel))
        .routes(routes!(open))
        .routes(routes!(close))
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct NewAuction {
    /// The product to sell. It must be listed, and yours.
    product_id: Uuid,
    /// The lowest amount that the first bid may have.
    starting_price: Price,
    /// By how much a bid must exceed the highest one so far, in minor units of the same currency.
    #[schema(value_type = i64, minimum = 1, maximum = 1_000_000_000_000_000i64, example = 500)]
    minimum_increment: Amount,
    /// The price below which the product is not sold, in minor units of the same currency. Bidders are not
    /// told what it is.
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 1_000_000_000_000_000i64, example = 15_000)]
    reserve_price: Option<Amount>,
    /// The price for which a buyer may end the auction at once, in minor units of the same currency. It may
    /// be paid until the first bid.
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 1_000_000_000_000_000i64, example = 20_000)]
    buy_now_price: Option<Amount>,
    /// When the auction opens, at most 730 days ahead, in whole microseconds: what is finer is cut off. Leave
    /// it out to open the auction at once.
    #[schema(value_type = Option<String>, format = DateTime)]
    starts_at: Option<Moment>,
    /// When the auction ends, unless a late bid extends it: from 1 second to 30 days after its start, and at most 730
    /// days ahead, in whole microseconds.
    #[schema(value_type = String, format = DateTime, example = "2027-03-08T18:00:00Z")]
    ends_at: Moment,
    /// If a bid is placed within this many seconds before the end, the auction ends this many seconds after
    /// the bid instead, but not later than 24 hours after the end that you state here.
    #[garde(range(max = ANTI_SNIPING_WINDOW_MAX_S))]
    #[schema(maximum = 3_600, example = 60)]
    #[serde(default)]
    anti_sniping_window_s: u32,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct NewBid {
    /// The amount of the bid: at least the `minimum_next_bid` of the auction.
    amount: Price,
}

/// Schedule an auction
///
/// Only the seller of the product may do this.
#[utoipa::path(
    post,
    path = "/v1/auctions",
    operation_id = "schedule_auction",
    tag = "auctions",
    security(("user" = [])),
    request_body = NewAuction,
    responses((status = 201, body = AcceptedBody), RefusalsOf<Schedule>)
)]
async fn schedule(
    State(app): State<App>,
    caller: Caller,
    Stated { body, faults }: Stated<NewAuction>,
) -> Result<Response, Problem> {
    let id = new_id();
    let command = Schedule {
        auction_id: AuctionId(id),
        product_id: ProductId(body.product_id),
        reserve: body
            .reserve_price
            .map(|amount| (ReserveId(new_id()), amount)),
        starting_price: body.starting_price,
        minimum_increment: body.minimum_increment,
        buy_now_price: body.buy_now_price,
        starts_at: body.starts_at,
        ends_at: body.ends_at,
        anti_sniping_window_s: body.anti_sniping_window_s,
        extension_max: TimeDelta::seconds(app.config.market.extension_max_s),
    };
    if !faults.is_none() {
        let others = other_faults(&command, &faults, app.clock.now());
        without_faults(faults, Refusal::all(others).map_err(Error::from))?;
    }
    let location = Location("/v1/auctions/{id}");
    app.create(&caller, id, command, location).await
}

/// What the rules find wrong with an auction whose body has these faults, as far as it does not rest on a value that has one.
fn other_faults(command: &Schedule, faults: &Faults, now: Timestamp) -> Vec<Refusal> {
    let prices = ["/starting_price/amount", "/reserve_price", "/buy_now_price"];
    let times = ["/starts_at", "/ends_at"];
    let are_sound = |pointers: &[&str]| !pointers.iter().any(|it| faults.touch(it));
    let of_prices = are_sound(&prices).then(|| command.faults_of_prices());
    let of_times = are_sound(&times).then(|| command.faults_of_times(now));
    let found = of_prices.into_iter().chain(of_times).flatten();
    found.map(Refusal::from).collect()
}

/// Place a bid
///
/// Only buyers may do this, and not the seller of the product. A first bid that reaches the buy-now price buys
/// the product at that price and ends the auction. The answer and its `Location` are about the auction. The bid itself is
/// in the lists of bids, with the same `version`.
#[utoipa::path(
    post,
    path = "/v1/auctions/{id}/bids",
    operation_id = "place_bid",
    tag = "auctions",
    params(("id" = Uuid, Path, description = "The auction")),
    security(("user" = [])),
    responses((status = 201, body = AcceptedBody, description = "The auction, in which this bid is now the highest"), RefusalsOf<PlaceBid>)
)]
async fn place_bid(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(body): Json<NewBid>,
) -> Result<Response, Problem> {
    let command = PlaceBid {
        auction_id: AuctionId(id),
        amount: body.amount,
    };
    let location = Location("/v1/auctions/{id}");
    app.create(&caller, id, command, location).await
}

/// Buy at the buy-now price
///
/// This ends the auction, and is possible until the first bid. Only buyers may do this, and not the seller
/// of the product.
#[utoipa::path(
    post,
    path = "/v1/auctions/{id}/buy-now",
    operation_id = "buy_now",
    tag = "auctions",
    params(("id" = Uuid, Path, description = "The auction")),
    security(("user" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<BuyNow>)
)]
async fn buy_now(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let command = BuyNow {
        auction_id: AuctionId(id),
    };
    app.change(&caller, id, command).await
}

/// Cancel an auction
///
/// This is possible until the first bid. Only the seller may do this.
#[utoipa::path(
    post,
    path = "/v1/auctions/{id}/cancel",
    operation_id = "cancel_auction",
    tag = "auctions",
    params(("id" = Uuid, Path, description = "The auction")),
    security(("user" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<Cancel>)
)]
async fn cancel(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let command = Cancel {
        auction_id: AuctionId(id),
    };
    app.change(&caller, id, command).await
}

/// Open an auction whose start has come
///
/// Before its start the answer is 409 `not_due`, and `retry_at` says when to try again. Only services may
/// do this.
#[utoipa::path(
    post,
    path = "/v1/auctions/{id}/open",
    operation_id = "open_auction",
    tag = "services",
    params(("id" = Uuid, Path, description = "The auction")),
    security(("service" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<Open>)
)]
async fn open(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let command = Open {
        auction_id: AuctionId(id),
    };
    app.change(&caller, id, command).await
}

/// Close an auction whose end has come
///
/// Before its end the answer is 409 `not_due`, and `retry_at` says when to try again. Only services may do
/// this.
#[utoipa::path(
    post,
    path = "/v1/auctions/{id}/close",
    operation_id = "close_auction",
    tag = "services",
    params(("id" = Uuid, Path, description = "The auction")),
    security(("service" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<Close>)
)]
async fn close(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let command = Close {
        auction_id: AuctionId(id),
    };
    app.change(&caller, id, command).await
}
