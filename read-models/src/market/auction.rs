//! An auction as everybody sees it: a row for each auction, folded from its own stream alone. So the fold of
//! the first events of a stream is the auction at that version. The row never holds the reserve.

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tidemark_events::market::auction::{Event, Outcome};
use tidemark_events::{Amount, AuctionId, CategoryId, Money, ProductId, UserId};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Column, EventFilter, FoldInput, ReadModel, RowOf, Search, schema};

/// How many characters of a title searches look at.
const SEARCHED_MAX: usize = 1_000;

/// Where an auction is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuctionStatus)]
pub enum Status {
    /// The auction is scheduled and takes no bids yet.
    Scheduled,
    /// The auction takes bids.
    Open,
    /// The auction has ended with an outcome.
    Closed,
    /// The seller cancelled the auction before anybody bid.
    Cancelled,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Scheduled, Self::Open, Self::Closed, Self::Cancelled];

    /// The name of the status in documents and queries.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// An auction of a product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Auction, example = json!({
    "id": "0199b3a4-5c7e-7d11-8f0e-2b6c9d1e4a77",
    "product_id": "0199b3a4-4b12-7c3f-9a60-51d2e8f7b309",
    "category_id": "0199b3a3-9d40-7b2a-8c15-0e7f3a6d4b82",
    "seller_id": "0199b3a4-3a01-7e52-b7d4-9c0f6a8e2d15",
    "title": "Brass sextant",
    "status": "open",
    "starting_price": { "amount": 12_000, "currency": "EUR" },
    "current_price": { "amount": 12_500, "currency": "EUR" },
    "minimum_increment": 500,
    "minimum_next_bid": { "amount": 13_000, "currency": "EUR" },
    "buy_now_price": null,
    "bid_count": 2,
    "leader_id": "0199b3a4-6e93-7f04-a1c8-7b5d2e9f0c36",
    "reserve_met": false,
    "starts_at": "2027-03-01T18:00:00Z",
    "ends_at": "2027-03-08T18:00:00Z",
    "anti_sniping_window_s": 60,
    "latest_end_at": "2027-03-09T18:00:00Z",
    "outcome": null,
    "version": 4,
}))]
pub struct Row {
    /// The id of the auction.
    #[schema(value_type = Uuid)]
    pub id: AuctionId,
    /// The product that is auctioned.
    #[schema(value_type = Uuid)]
    pub product_id: ProductId,
    /// The category that the product is filed under.
    #[schema(value_type = Uuid)]
    pub category_id: CategoryId,
    /// The seller of the product.
    #[schema(value_type = Uuid)]
    pub seller_id: UserId,
    /// The product's title when the auction was scheduled.
    pub title: String,
    /// Where the auction is in its life.
    pub status: Status,
    /// The lowest amount of the first bid.
    #[schema(value_type = schema::Money)]
    pub starting_price: Money,
    /// The amount of the highest bid, or the price at which the product was bought now. The starting price as
    /// long as there is neither.
    #[schema(value_type = schema::Money)]
    pub current_price: Money,
    /// By how much each bid must exceed the one before, in minor units of the auction's currency.
    #[schema(minimum = 1, maximum = 1_000_000_000_000_000i64, example = 500)]
    pub minimum_increment: i64,
    /// The lowest amount of the next bid; none when the auction is over, or if no amount is higher.
    #[schema(value_type = Option<schema::Money>)]
    pub minimum_next_bid: Option<Money>,
    /// The price at which a buyer can end the auction at once, in minor units of the auction's currency; none
    /// if the seller set none, from the first bid on, and when the auction is over.
    #[schema(minimum = 1, maximum = 1_000_000_000_000_000i64)]
    pub buy_now_price: Option<i64>,
    /// The number of bids.
    pub bid_count: u64,
    /// The user whose bid is the highest; none if nobody has bid.
    #[schema(value_type = Option<Uuid>)]
    pub leader_id: Option<UserId>,
    /// Whether the price reaches the hidden reserve; none if there is no reserve.
    pub reserve_met: Option<bool>,
    /// When the auction starts to take bids.
    pub starts_at: DateTime<Utc>,
    /// When the auction stops taking bids, as late bids have extended it.
    pub ends_at: DateTime<Utc>,
    /// The anti-sniping window in seconds: a bid within so many seconds of the end extends the auction to so
    /// many seconds after the bid.
    #[schema(maximum = 3_600)]
    pub anti_sniping_window_s: u32,
    /// Beyond what moment late bids do not extend the auction; none if it was scheduled before there was one.
    #[serde(default)]
    pub latest_end_at: Option<DateTime<Utc>>,
    /// How the auction ended; none until then, and if it was cancelled.
    #[schema(value_type = Option<schema::Outcome>)]
    pub outcome: Option<Outcome>,
    /// The version of the auction: the number of its changes.
    #[schema(minimum = 1, example = 7)]
    pub version: i64,
}

/// The read model whose rows are auctions, each under its own id.
#[derive(Clone, Copy, Debug)]
pub struct Auction;

impl ReadModel for Auction {
    const NAME: &'static str = "auction";
    // What the feature changes is explained in `next_build.rs`.
    const FOLD_VERSION: i32 = if cfg!(feature = "next-build") { 2 } else { 1 };
    const EVENTS: EventFilter = EventFilter::Types(&[
        "auction.scheduled",
        "auction.opened",
        "auction.bid_placed",
        "auction.extended",
        "auction.bought_now",
        "auction.closed",
        "auction.cancelled",
    ]);
    const ROW_OF: RowOf = RowOf::Stream;
    const IN_REDIS: bool = true;

    const SEARCH: Option<Search> = Some(Search {
        function: "auction_search",
        of: &["title", "status", "category_id", "seller_id", "currency"],
    });

    type Row = Row;

    fn columns(row: &Row) -> Vec<Column> {
        let winner = row.outcome.and_then(winner);
        let bid_count = i64::try_from(row.bid_count).unwrap_or(i64::MAX);
        vec![
            Column::text("title", searched(&row.title)),
            Column::text("status", row.status.name()),
            Column::uuid("category_id", row.category_id.0),
            Column::uuid("seller_id", row.seller_id.0),
            Column::uuid("winner_id", winner),
            Column::text("currency", row.current_price.currency.code()),
            Column::integer("price", row.current_price.amount),
            Column::integer("bid_count", bid_count),
            Column::time("ends_at", row.ends_at),
        ]
    }

    fn keys(input: &FoldInput<'_>) -> Vec<Uuid> {
        input
            .event_of()
            .map(|event| id(event).0)
            .into_iter()
            .collect()
    }

    fn fold(_: Uuid, row: Option<Row>, input: &FoldInput<'_>) -> Option<Row> {
        let Some(event) = input.event_of() else {
            return row;
        };
        let mut row = apply(row, event)?;
        row.version = input.recorded.version;
        Some(row)
    }
}

/// The part of a title that searches look at. An event may hold a longer one than Postgres can index.
fn searched(title: &str) -> &str {
    let end = title.char_indices().nth(SEARCHED_MAX);
    end.map_or(title, |(end, _)| &title[..end])
}

const fn winner(outcome: Outcome) -> Option<Uuid> {
    match outcome {
        Outcome::Sold { winner_id, .. } => Some(winner_id.0),
        Outcome::Unsold {} | Outcome::ReserveNotMet {} => None,
    }
}

fn id(event: &Event) -> AuctionId {
    match event {
        Event::Scheduled { auction_id, .. }
        | Event::Opened { auction_id, .. }
        | Event::BidPlaced { auction_id, .. }
        | Event::Extended { auction_id, .. }
        | Event::BoughtNow { auction_id, .. }
        | Event::Closed { auction_id, .. }
        | Event::Cancelled { auction_id, .. } => *auction_id,
    }
}

fn apply(row: Option<Row>, event: &Event) -> Option<Row> {
    let Some(mut row) = row else {
        return scheduled(event);
    };
    match event {
        Event::Scheduled { .. } => {}
        Event::Opened { .. } => row.status = Status::Open,
        Event::BidPlaced {
            bidder_id,
            amount,
            reserve_met,
            ..
        } => {
            row.current_price = **amount;
            let next = amount.amount.saturating_add(row.minimum_increment);
            row.minimum_next_bid = Amount::<1>::try_from(next).is_ok().then_some(Money {
                amount: next,
                ..**amount
            });
            row.buy_now_price = None;
            row.bid_count += 1;
            row.leader_id = Some(*bidder_id);
            row.reserve_met = row.reserve_met.map(|_| *reserve_met);
        }
        Event::Extended { ends_at, .. } => row.ends_at = **ends_at,
        Event::BoughtNow { price, .. } => {
            row.current_price = **price;
            row.reserve_met = row.reserve_met.map(|_| true);
        }
        Event::Closed { outcome, .. } => {
            row.outcome = Some(*outcome);
            end(&mut row, Status::Closed);
        }
        Event::Cancelled { .. } => end(&mut row, Status::Cancelled),
    }
    Some(row)
}

/// Nobody can bid or buy any more.
fn end(row: &mut Row, status: Status) {
    row.status = status;
    row.minimum_next_bid = None;
    row.buy_now_price = None;
}

/// The first row of an auction. `None` if it has not been scheduled.
fn scheduled(event: &Event) -> Option<Row> {
    let Event::Scheduled {
        auction_id,
        product_id,
        category_id,
        seller_id,
        title,
        starting_price,
        minimum_increment,
        buy_now_price,
        reserve_id,
        starts_at,
        ends_at,
        anti_sniping_window_s,
        latest_end_at,
    } = event
    else {
        return None;
    };
    Some(Row {
        id: *auction_id,
        product_id: *product_id,
        category_id: *category_id,
        seller_id: *seller_id,
        title: if cfg!(feature = "next-build") {
            title.to_uppercase()
        } else {
            String::clone(title)
        },
        status: Status::Scheduled,
        starting_price: **starting_price,
        current_price: **starting_price,
        minimum_increment: **minimum_increment,
        minimum_next_bid: Some(**starting_price),
        buy_now_price: buy_now_price.as_deref().copied(),
        bid_count: 0,
        leader_id: None,
        reserve_met: reserve_id.map(|_| false),
        starts_at: **starts_at,
        ends_at: **ends_at,
        anti_sniping_window_s: *anti_sniping_window_s,
        latest_end_at: latest_end_at.as_deref().copied(),
        outcome: None,
        version: 0,
    })
}
