//! Bids: a row for each bid, so that bidders find their own.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tidemark_events::market::auction::Event;
use tidemark_events::{AuctionId, Money, UserId};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Column, EventFilter, FoldInput, ReadModel, RowOf, schema};

/// A bid in an auction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Bid)]
pub struct Row {
    /// The id of the bid, which is the id of its event.
    pub id: Uuid,
    /// The auction that the bid was placed in.
    #[schema(value_type = Uuid)]
    pub auction_id: AuctionId,
    /// The user who bid.
    #[schema(value_type = Uuid)]
    pub bidder_id: UserId,
    /// The seller of the product that is auctioned.
    #[schema(value_type = Uuid)]
    pub seller_id: UserId,
    /// The amount of the bid.
    #[schema(value_type = schema::Money)]
    pub amount: Money,
    /// When the bid was recorded.
    pub placed_at: DateTime<Utc>,
    /// The version of the auction after the bid.
    #[schema(minimum = 1, example = 7)]
    pub version: i64,
}

/// The read model whose rows are bids, each under the id of its event.
#[derive(Clone, Copy, Debug)]
pub struct Bid;

impl ReadModel for Bid {
    const NAME: &'static str = "bid";
    const FOLD_VERSION: i32 = 1;
    const EVENTS: EventFilter = EventFilter::Types(&["auction.bid_placed"]);
    const ROW_OF: RowOf = RowOf::Event;
    const IN_REDIS: bool = false;

    type Row = Row;

    fn columns(row: &Row) -> Vec<Column> {
        vec![
            Column::uuid("auction_id", row.auction_id.0),
            Column::uuid("bidder_id", row.bidder_id.0),
        ]
    }

    fn keys(input: &FoldInput<'_>) -> Vec<Uuid> {
        placed(input).map(|row| row.id).into_iter().collect()
    }

    fn fold(_: Uuid, row: Option<Row>, input: &FoldInput<'_>) -> Option<Row> {
        placed(input).or(row)
    }
}

/// The row of the bid; `None` if the event is no bid.
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
            amount: **amount,
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
            amount: euro_cents(amount).into(),
            reserve_met: true,
            outbid_id: None,
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
