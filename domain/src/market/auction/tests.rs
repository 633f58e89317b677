//! The rules of auctions, tried on the sample auction: seconds 0 to 3600, starting price 100.00 EUR,
//! increment 5.00, reserve 110.00, buy-now price 500.00, anti-sniping window 60 seconds.

mod bidding;
mod ending;
mod scheduling;

use tidemark_events::identity::user::Role;
use tidemark_events::market::auction::{Outcome, RunnerUp};
use tidemark_events::samples::{AUCTION, BIDDER, PRODUCT, SELLER, at, euro_cents, moment};

use super::*;
use crate::Write;
use crate::given::{Given, RIVAL, given, granted, registered, sample, writes_of};
use crate::market::product::auction_claim;

pub(super) const OPEN: super::Open = super::Open {
    auction_id: AUCTION,
};
pub(super) const CLOSE: Close = Close {
    auction_id: AUCTION,
};
pub(super) const CANCEL: Cancel = Cancel {
    auction_id: AUCTION,
};
pub(super) const BUY_NOW: BuyNow = BuyNow {
    auction_id: AUCTION,
};

pub(super) fn bid(amount: i64) -> PlaceBid {
    PlaceBid {
        auction_id: AUCTION,
        amount: euro_cents(amount),
    }
}

/// A seller with a listed product, a bidder, and a rival who is a seller too.
pub(super) fn market() -> Given {
    given([
        registered(SELLER),
        granted(SELLER, Role::Seller),
        registered(BIDDER),
        registered(RIVAL),
        granted(RIVAL, Role::Seller),
        sample("category.created"),
        sample("product.drafted"),
        sample("product.listed"),
    ])
}

pub(super) fn scheduled() -> Given {
    market()
        .and(["auction.scheduled", "reserve.set"].map(sample))
        .claimed(auction_claim(PRODUCT), AUCTION.0)
}

fn opened() -> Given {
    scheduled().and([sample("auction.opened")])
}

/// The auction is open and has the sample's bid of 120.00.
fn with_bid() -> Given {
    opened().and([sample("auction.bid_placed")])
}

fn over() -> Given {
    with_bid().and([sample("auction.closed")])
}

/// A bid that outbids nobody.
fn placed(bidder_id: UserId, amount: i64, reserve_met: bool) -> Write {
    placed_over(None, bidder_id, amount, reserve_met)
}

fn placed_over(
    outbid_id: Option<UserId>,
    bidder_id: UserId,
    amount: i64,
    reserve_met: bool,
) -> Write {
    Write::event(
        AUCTION.0,
        Event::BidPlaced {
            auction_id: AUCTION,
            product_id: PRODUCT,
            seller_id: SELLER,
            bidder_id,
            amount: euro_cents(amount).into(),
            reserve_met,
            outbid_id,
        },
    )
}

fn extended(seconds: i64) -> Write {
    Write::event(
        AUCTION.0,
        Event::Extended {
            auction_id: AUCTION,
            product_id: PRODUCT,
            seller_id: SELLER,
            ends_at: moment(seconds).into(),
        },
    )
}

fn closed<const N: usize>(outcome: Outcome, runners_up: [(UserId, i64); N]) -> Write {
    Write::event(
        AUCTION.0,
        Event::Closed {
            auction_id: AUCTION,
            product_id: PRODUCT,
            seller_id: SELLER,
            outcome,
            runners_up: runners_up.map(runner_up).into(),
        },
    )
}

fn runner_up((bidder_id, amount): (UserId, i64)) -> RunnerUp {
    RunnerUp {
        bidder_id,
        amount: euro_cents(amount).into(),
    }
}

fn release() -> Write {
    Write::Release(auction_claim(PRODUCT))
}
