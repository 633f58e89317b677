//! Facts about auctions.

use serde::{Deserialize, Serialize};

use crate::{CategoryId, Money, ProductId, ReserveId, Timestamp, UserId};

id! {
    /// An auction.
    AuctionId
}

/// How an auction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Outcome {
    /// The highest bidder, or who bought it now, has it.
    Sold {
        /// Who.
        winner_id: UserId,
        /// For how much.
        price: Money,
    },
    /// Nobody bid.
    Unsold {},
    /// The highest bid stayed below the hidden reserve.
    ReserveNotMet {},
}

events! {
    /// Facts about an auction.
    pub enum Event {
        /// A seller announced it.
        #[serde(rename = "auction.scheduled")]
        Scheduled {
            /// The auction.
            auction_id: AuctionId,
            /// What is sold.
            product_id: ProductId,
            /// Where the product is filed.
            category_id: CategoryId,
            /// Who sells.
            seller_id: UserId,
            /// The product's title as it was offered.
            title: String,
            /// The lowest first bid.
            starting_price: Money,
            /// By how much each bid must exceed the one before, in minor units of the same currency.
            minimum_increment: i64,
            /// The price that ends it at once, in minor units of the same currency.
            buy_now_price: Option<i64>,
            /// The internal stream that holds the hidden reserve, where there is one.
            reserve_id: Option<ReserveId>,
            /// From when bids are taken.
            starts_at: Timestamp,
            /// Until when, unless a late bid extends it.
            ends_at: Timestamp,
            /// A bid in this many last seconds makes the auction last as long again from the bid on.
            anti_sniping_window_s: u32,
        },
        /// Bids are taken from now on.
        #[serde(rename = "auction.opened")]
        Opened {
            /// The auction.
            auction_id: AuctionId,
            /// What is sold.
            product_id: ProductId,
            /// Who sells.
            seller_id: UserId,
        },
        /// Somebody bid the most so far.
        #[serde(rename = "auction.bid_placed")]
        BidPlaced {
            /// The auction.
            auction_id: AuctionId,
            /// What is sold.
            product_id: ProductId,
            /// Who sells.
            seller_id: UserId,
            /// Who bid.
            bidder_id: UserId,
            /// How much.
            amount: Money,
            /// Whether the hidden reserve is reached; true where there is none.
            reserve_met: bool,
        },
        /// A late bid moved the end.
        #[serde(rename = "auction.extended")]
        Extended {
            /// The auction.
            auction_id: AuctionId,
            /// What is sold.
            product_id: ProductId,
            /// Who sells.
            seller_id: UserId,
            /// The new end.
            ends_at: Timestamp,
        },
        /// Somebody paid the buy-now price.
        #[serde(rename = "auction.bought_now")]
        BoughtNow {
            /// The auction.
            auction_id: AuctionId,
            /// What is sold.
            product_id: ProductId,
            /// Who sells.
            seller_id: UserId,
            /// Who bought.
            buyer_id: UserId,
            /// For how much.
            price: Money,
        },
        /// It is over, with an outcome.
        #[serde(rename = "auction.closed")]
        Closed {
            /// The auction.
            auction_id: AuctionId,
            /// What was sold, or not.
            product_id: ProductId,
            /// Who sold, or did not.
            seller_id: UserId,
            /// How it ended.
            outcome: Outcome,
        },
        /// The seller called it off before any bid.
        #[serde(rename = "auction.cancelled")]
        Cancelled {
            /// The auction.
            auction_id: AuctionId,
            /// What is not sold.
            product_id: ProductId,
            /// Who does not sell.
            seller_id: UserId,
        },
    }
}

/// One example of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::samples::{AUCTION, BIDDER, CATEGORY, PRODUCT, RESERVE, SELLER, at, euro_cents};

    vec![
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
        },
        Event::Opened {
            auction_id: AUCTION,
            product_id: PRODUCT,
            seller_id: SELLER,
        },
        Event::BidPlaced {
            auction_id: AUCTION,
            product_id: PRODUCT,
            seller_id: SELLER,
            bidder_id: BIDDER,
            amount: euro_cents(12_000),
            reserve_met: true,
        },
        Event::Extended {
            auction_id: AUCTION,
            product_id: PRODUCT,
            seller_id: SELLER,
            ends_at: at(3_660),
        },
        Event::BoughtNow {
            auction_id: AUCTION,
            product_id: PRODUCT,
            seller_id: SELLER,
            buyer_id: BIDDER,
            price: euro_cents(50_000),
        },
        Event::Closed {
            auction_id: AUCTION,
            product_id: PRODUCT,
            seller_id: SELLER,
            outcome: Outcome::Sold {
                winner_id: BIDDER,
                price: euro_cents(12_000),
            },
        },
        Event::Cancelled {
            auction_id: AUCTION,
            product_id: PRODUCT,
            seller_id: SELLER,
        },
    ]
}
