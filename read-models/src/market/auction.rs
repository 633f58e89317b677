//! An auction as everybody sees it: one row an auction, folded from its stream alone, so that the
//! fold of a part of the stream is the state as of that version or time. It never holds the reserve.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tidemark_events::market::auction::{Event, Outcome};
use tidemark_events::{AuctionId, CategoryId, Money, ProductId, UserId};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{EventFilter, FoldInput, ReadModel, schema};

/// Where an auction is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuctionStatus)]
pub enum Status {
    /// Announced; takes no bids yet.
    Scheduled,
    /// Takes bids.
    Open,
    /// Over, with an outcome.
    Closed,
    /// Called off before any bid.
    Cancelled,
}

impl Status {
    /// As documents and columns have it.
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

/// An auction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Auction)]
pub struct Row {
    /// The auction.
    #[schema(value_type = Uuid)]
    pub id: AuctionId,
    /// What is sold.
    #[schema(value_type = Uuid)]
    pub product_id: ProductId,
    /// Where the product is filed.
    #[schema(value_type = Uuid)]
    pub category_id: CategoryId,
    /// Who sells.
    #[schema(value_type = Uuid)]
    pub seller_id: UserId,
    /// The product's title as it was offered.
    pub title: String,
    /// Where it is in its life.
    pub status: Status,
    /// The lowest first bid.
    #[schema(value_type = schema::Money)]
    pub starting_price: Money,
    /// The highest bid; the starting price until there is one.
    #[schema(value_type = schema::Money)]
    pub current_price: Money,
    /// By how much each bid must exceed the one before, in minor units of the same currency.
    pub minimum_increment: i64,
    /// The least that the next bid must be; none when it is over.
    #[schema(value_type = Option<schema::Money>)]
    pub minimum_next_bid: Option<Money>,
    /// The price that ends it at once, in minor units; none from the first bid on.
    pub buy_now_price: Option<i64>,
    /// How many bids there are.
    pub bid_count: u64,
    /// Who bid the most.
    #[schema(value_type = Option<Uuid>)]
    pub leader_id: Option<UserId>,
    /// Whether the hidden reserve is reached; none where there is no reserve.
    pub reserve_met: Option<bool>,
    /// From when bids are taken.
    pub starts_at: DateTime<Utc>,
    /// Until when, as late bids have moved it.
    pub ends_at: DateTime<Utc>,
    /// A bid in this many last seconds makes it last as long again from the bid on.
    pub anti_sniping_window_s: u32,
    /// How it ended.
    #[schema(value_type = Option<schema::Outcome>)]
    pub outcome: Option<Outcome>,
    /// Of the stream.
    pub version: i64,
}

/// Auctions, each by its own id.
#[derive(Clone, Copy, Debug)]
pub struct Auction;

impl ReadModel for Auction {
    const NAME: &'static str = "auction";
    const EVENTS: EventFilter = EventFilter::Types(&[
        "auction.scheduled",
        "auction.opened",
        "auction.bid_placed",
        "auction.extended",
        "auction.bought_now",
        "auction.closed",
        "auction.cancelled",
    ]);
    const IN_REDIS: bool = true;

    type Row = Row;

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
            row.current_price = *amount;
            row.minimum_next_bid = Some(Money {
                amount: amount.amount.saturating_add(row.minimum_increment),
                ..*amount
            });
            row.buy_now_price = None;
            row.bid_count += 1;
            row.leader_id = Some(*bidder_id);
            row.reserve_met = row.reserve_met.map(|_| *reserve_met);
        }
        Event::Extended { ends_at, .. } => row.ends_at = *ends_at,
        Event::BoughtNow { price, .. } => {
            row.current_price = *price;
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

/// Nothing can be offered any more.
fn end(row: &mut Row, status: Status) {
    row.status = status;
    row.minimum_next_bid = None;
    row.buy_now_price = None;
}

/// The first row; every stream starts with the announcement.
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
    } = event
    else {
        return None;
    };
    Some(Row {
        id: *auction_id,
        product_id: *product_id,
        category_id: *category_id,
        seller_id: *seller_id,
        title: title.clone(),
        status: Status::Scheduled,
        starting_price: *starting_price,
        current_price: *starting_price,
        minimum_increment: *minimum_increment,
        minimum_next_bid: Some(*starting_price),
        buy_now_price: *buy_now_price,
        bid_count: 0,
        leader_id: None,
        reserve_met: reserve_id.map(|_| false),
        starts_at: *starts_at,
        ends_at: *ends_at,
        anti_sniping_window_s: *anti_sniping_window_s,
        outcome: None,
        version: 0,
    })
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples::{
        AUCTION, BIDDER, CATEGORY, PRODUCT, RESERVE, SELLER, at, euro_cents,
    };

    use super::*;
    use crate::testing::given;

    fn announced() -> Event {
        Event::Scheduled {
            auction_id: AUCTION,
            product_id: PRODUCT,
            category_id: CATEGORY,
            seller_id: SELLER,
            title: "Field camera".to_owned(),
            starting_price: euro_cents(10_000),
            minimum_increment: 500,
            buy_now_price: Some(50_000),
            reserve_id: Some(RESERVE),
            starts_at: at(0),
            ends_at: at(3_600),
            anti_sniping_window_s: 60,
        }
    }

    fn opened() -> Event {
        Event::Opened {
            auction_id: AUCTION,
            product_id: PRODUCT,
            seller_id: SELLER,
        }
    }

    fn bid(amount: i64, reserve_met: bool) -> Event {
        Event::BidPlaced {
            auction_id: AUCTION,
            product_id: PRODUCT,
            seller_id: SELLER,
            bidder_id: BIDDER,
            amount: euro_cents(amount),
            reserve_met,
        }
    }

    fn closed(outcome: Outcome) -> Event {
        Event::Closed {
            auction_id: AUCTION,
            product_id: PRODUCT,
            seller_id: SELLER,
            outcome,
        }
    }

    fn row(events: impl IntoIterator<Item = Event>) -> Row {
        given::<Auction>(events).remove(&AUCTION.0).unwrap()
    }

    #[test]
    fn an_announced_auction_asks_for_its_starting_price() {
        let row = row([announced()]);
        assert_eq!(row.status, Status::Scheduled);
        assert_eq!(row.minimum_next_bid, Some(euro_cents(10_000)));
        assert_eq!((row.reserve_met, row.version), (Some(false), 1));
    }

    #[test]
    fn a_bid_leads_raises_the_next_and_ends_buy_now() {
        let row = row([announced(), opened(), bid(12_000, true)]);
        assert_eq!(row.status, Status::Open);
        assert_eq!(row.current_price, euro_cents(12_000));
        assert_eq!(row.minimum_next_bid, Some(euro_cents(12_500)));
        assert_eq!((row.leader_id, row.bid_count), (Some(BIDDER), 1));
        assert_eq!((row.buy_now_price, row.reserve_met), (None, Some(true)));
        assert_eq!(row.version, 3);
    }

    #[test]
    fn a_late_bid_moves_the_end() {
        let extended = Event::Extended {
            auction_id: AUCTION,
            product_id: PRODUCT,
            seller_id: SELLER,
            ends_at: at(3_660),
        };
        let row = row([announced(), opened(), bid(10_000, false), extended]);
        assert_eq!((row.ends_at, row.bid_count), (at(3_660), 1));
    }

    #[test]
    fn a_closed_auction_takes_no_more() {
        let outcome = Outcome::ReserveNotMet {};
        let row = row([announced(), opened(), bid(10_000, false), closed(outcome)]);
        assert_eq!((row.status, row.outcome), (Status::Closed, Some(outcome)));
        assert_eq!((row.minimum_next_bid, row.reserve_met), (None, Some(false)));
    }

    #[test]
    fn bought_now_is_sold_at_that_price() {
        let price = euro_cents(50_000);
        let bought = Event::BoughtNow {
            auction_id: AUCTION,
            product_id: PRODUCT,
            seller_id: SELLER,
            buyer_id: BIDDER,
            price,
        };
        let outcome = Outcome::Sold {
            winner_id: BIDDER,
            price,
        };
        let row = row([announced(), opened(), bought, closed(outcome)]);
        assert_eq!((row.current_price, row.outcome), (price, Some(outcome)));
        assert_eq!((row.bid_count, row.leader_id), (0, None));
    }

    #[test]
    fn the_document_never_holds_the_reserve() {
        let document = serde_json::to_value(row([announced()])).unwrap();
        assert!(document.get("reserve_id").is_none());
        assert!(!document.to_string().contains(&RESERVE.to_string()));
    }
}
