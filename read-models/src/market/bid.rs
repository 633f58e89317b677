//! Bids: one row a bid, under the id of its event, so that a bidder finds theirs.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tidemark_events::market::auction::Event;
use tidemark_events::{AuctionId, Money, UserId};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{EventFilter, FoldInput, ReadModel, schema};

/// A bid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Bid)]
pub struct Row {
    /// The bid: the id of its event.
    pub id: Uuid,
    /// In which auction.
    #[schema(value_type = Uuid)]
    pub auction_id: AuctionId,
    /// Who bid.
    #[schema(value_type = Uuid)]
    pub bidder_id: UserId,
    /// Who sells.
    #[schema(value_type = Uuid)]
    pub seller_id: UserId,
    /// How much.
    #[schema(value_type = schema::Money)]
    pub amount: Money,
    /// When the log took it.
    pub placed_at: DateTime<Utc>,
    /// Its version in the auction's stream.
    pub version: i64,
}

/// Bids, each by its event's id.
#[derive(Clone, Copy, Debug)]
pub struct Bid;

impl ReadModel for Bid {
    const NAME: &'static str = "bid";
    const EVENTS: EventFilter = EventFilter::Types(&["auction.bid_placed"]);
    const IN_REDIS: bool = false;

    type Row = Row;

    fn keys(input: &FoldInput<'_>) -> Vec<Uuid> {
        placed(input).map(|row| row.id).into_iter().collect()
    }

    fn fold(_: Uuid, row: Option<Row>, input: &FoldInput<'_>) -> Option<Row> {
        placed(input).or(row)
    }
}

fn placed(input: &FoldInput<'_>) -> Option<Row> {
    let event = input.event_of()?;
    if let Event::BidPlaced {
        auction_id,
        seller_id,
        bidder_id,
        amount,
        ..
    } = event
    {
        Some(Row {
            id: input.recorded.event_id,
            auction_id: *auction_id,
            bidder_id: *bidder_id,
            seller_id: *seller_id,
            amount: *amount,
            placed_at: input.recorded.recorded_at,
            version: input.recorded.version,
        })
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples::{AUCTION, BIDDER, PRODUCT, SELLER, euro_cents};

    use super::*;
    use crate::testing::given;

    #[test]
    fn every_bid_is_a_row_of_its_own() {
        let bid = |amount| Event::BidPlaced {
            auction_id: AUCTION,
            product_id: PRODUCT,
            seller_id: SELLER,
            bidder_id: BIDDER,
            amount: euro_cents(amount),
            reserve_met: true,
        };
        let rows = given::<Bid>([bid(100), bid(200)]);
        let amounts: Vec<_> = rows
            .values()
            .map(|row| (row.amount.amount, row.version))
            .collect();
        assert_eq!(amounts, [(100, 1), (200, 2)]);
        assert!(rows.iter().all(|(key, row)| *key == row.id));
    }
}
