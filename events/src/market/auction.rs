//! Events of auctions.

use serde::{Deserialize, Serialize};

use crate::market::product::Title;
use crate::{Amount, CategoryId, Moment, Price, ProductId, ReserveId, Stored, UserId};

id! {
    /// The id of an auction.
    AuctionId
}

event_field! {
    /// How an auction ended.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(tag = "result", rename_all = "snake_case")]
    pub enum Outcome {
        /// The product was sold, to the highest bidder or to the user who bought it now.
        Sold {
            /// The user who bought the product.
            winner_id: UserId,
            /// The price that the buyer pays, without shipping.
            price: Stored<Price>,
        },
        /// Nobody bid, so the product was not sold.
        Unsold {},
        /// The highest bid was below the hidden reserve, so the product was not sold.
        ReserveNotMet {},
    }
}

event_field! {
    /// The best bid of a bidder who did not get the product.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct RunnerUp {
        /// The user who bid.
        pub bidder_id: UserId,
        /// The highest amount that this user bid.
        pub amount: Stored<Price>,
    }
}

events! {
    /// The events of an auction.
    pub enum Event {
        /// A seller scheduled the auction.
        #[serde(rename = "auction.scheduled")]
        Scheduled {
            /// The auction.
            auction_id: AuctionId,
            /// The product that is auctioned.
            product_id: ProductId,
            /// The category that the product is filed under.
            category_id: CategoryId,
            /// The seller of the product.
            seller_id: UserId,
            /// The product's title when the auction was scheduled.
            title: Stored<Title>,
            /// The lowest amount of the first bid. Its currency is the auction's.
            starting_price: Stored<Price>,
            /// By how much each bid must exceed the one before, in minor units of the auction's currency.
            minimum_increment: Stored<Amount>,
            /// The price at which a buyer can end the auction at once, in minor units of the auction's
            /// currency. None if the seller set none.
            buy_now_price: Option<Stored<Amount>>,
            /// The internal stream that holds the hidden reserve. None if there is no reserve.
            reserve_id: Option<ReserveId>,
            /// The time from which on the auction takes bids.
            starts_at: Stored<Moment>,
            /// The time at which the auction stops taking bids, unless a late bid extends it.
            ends_at: Stored<Moment>,
            /// The length of the anti-sniping window in seconds, from 0 to 3600: a bid within so many
            /// seconds of the end moves the end to so many seconds after the bid.
            anti_sniping_window_s: u32,
            /// The time beyond which late bids do not move the end. None in events of older builds, whose
            /// auctions have no such time.
            #[serde(default)]
            latest_end_at: Option<Stored<Moment>>,
        },
        /// The auction takes bids from now on.
        #[serde(rename = "auction.opened")]
        Opened {
            /// The auction.
            auction_id: AuctionId,
            /// The product that is auctioned.
            product_id: ProductId,
            /// The seller of the product.
            seller_id: UserId,
        },
        /// A bid was accepted; it is the highest so far.
        #[serde(rename = "auction.bid_placed")]
        BidPlaced {
            /// The auction.
            auction_id: AuctionId,
            /// The product that is auctioned.
            product_id: ProductId,
            /// The seller of the product.
            seller_id: UserId,
            /// The user who bid.
            bidder_id: UserId,
            /// The amount of the bid, in the auction's currency.
            amount: Stored<Price>,
            /// Whether the bid reaches the hidden reserve. True if there is no reserve.
            reserve_met: bool,
            /// Another user, whose bid was the highest until this one. None if there is no such user, and in
            /// events of older builds.
            #[serde(default)]
            outbid_id: Option<UserId>,
        },
        /// A bid within the anti-sniping window moved the end of the auction.
        #[serde(rename = "auction.extended")]
        Extended {
            /// The auction.
            auction_id: AuctionId,
            /// The product that is auctioned.
            product_id: ProductId,
            /// The seller of the product.
            seller_id: UserId,
            /// The new time at which the auction stops taking bids.
            ends_at: Stored<Moment>,
        },
        /// A user bought the product at the buy-now price. The close of the auction follows.
        #[serde(rename = "auction.bought_now")]
        BoughtNow {
            /// The auction.
            auction_id: AuctionId,
            /// The product that is auctioned.
            product_id: ProductId,
            /// The seller of the product.
            seller_id: UserId,
            /// The user who bought the product.
            buyer_id: UserId,
            /// The buy-now price, which the buyer pays without shipping.
            price: Stored<Price>,
        },
        /// The auction ended with an outcome.
        #[serde(rename = "auction.closed")]
        Closed {
            /// The auction.
            auction_id: AuctionId,
            /// The product that was auctioned.
            product_id: ProductId,
            /// The seller of the product.
            seller_id: UserId,
            /// How the auction ended.
            outcome: Outcome,
            /// The best bids of those who did not get the product, the highest first. There are at most 20, and
            /// none in events of older builds.
            #[serde(default)]
            runners_up: Vec<RunnerUp>,
        },
        /// The seller cancelled the auction before anybody bid.
        #[serde(rename = "auction.cancelled")]
        Cancelled {
            /// The auction.
            auction_id: AuctionId,
            /// The product that was auctioned.
            product_id: ProductId,
            /// The seller of the product.
            seller_id: UserId,
        },
    }
}

/// A sample of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::samples::{
        AUCTION, BIDDER, CATEGORY, PRODUCT, RESERVE, RIVAL, SELLER, amount, euro_cents, moment,
        stored,
    };

    vec![
        Event::Scheduled {
            auction_id: AUCTION,
            product_id: PRODUCT,
            category_id: CATEGORY,
            seller_id: SELLER,
            title: stored("Field camera"),
            starting_price: euro_cents(10_000).into(),
            minimum_increment: amount(500).into(),
            buy_now_price: Some(amount(50_000).into()),
            reserve_id: Some(RESERVE),
            starts_at: moment(0).into(),
            ends_at: moment(3_600).into(),
            anti_sniping_window_s: 60,
            latest_end_at: Some(moment(7_200).into()),
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
            amount: euro_cents(12_000).into(),
            reserve_met: true,
            outbid_id: Some(RIVAL),
        },
        Event::Extended {
            auction_id: AUCTION,
            product_id: PRODUCT,
            seller_id: SELLER,
            ends_at: moment(3_660).into(),
        },
        Event::BoughtNow {
            auction_id: AUCTION,
            product_id: PRODUCT,
            seller_id: SELLER,
            buyer_id: BIDDER,
            price: euro_cents(50_000).into(),
        },
        Event::Closed {
            auction_id: AUCTION,
            product_id: PRODUCT,
            seller_id: SELLER,
            outcome: Outcome::Sold {
                winner_id: BIDDER,
                price: euro_cents(12_000).into(),
            },
            runners_up: vec![RunnerUp {
                bidder_id: RIVAL,
                amount: euro_cents(11_500).into(),
            }],
        },
        Event::Cancelled {
            auction_id: AUCTION,
            product_id: PRODUCT,
            seller_id: SELLER,
        },
    ]
}
