//! Auctions: the state, and what rules know of it. The commands are in files of their own.

mod bid;
mod end;
mod error;
mod limits;
mod running;
mod schedule;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use tidemark_events::market::auction::Event;
use tidemark_events::{Amount, Moment, Price, ProductId, ReserveId, Stored, UserId};

pub use bid::{BuyNow, PlaceBid};
pub use end::{Cancel, Close};
pub use error::Error;
pub use limits::{AHEAD_MAX, ANTI_SNIPING_WINDOW_MAX_S, DURATION_MAX, DURATION_MIN};
pub use schedule::{Open, Schedule};

use crate::AggregateState;

/// What the seller scheduled, with the end as late bids have extended it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The product that is sold.
    pub product_id: ProductId,
    /// The seller.
    pub seller_id: UserId,
    /// The lowest amount of the first bid. Its currency is the auction's.
    pub starting_price: Stored<Price>,
    /// By how much each bid must exceed the one before, in minor units of the auction's currency.
    pub minimum_increment: Stored<Amount>,
    /// The price at which a buyer can end the auction at once, in minor units of the auction's currency;
    /// none if the seller set none.
    pub buy_now_price: Option<Stored<Amount>>,
    /// The stream that holds the hidden reserve; none if the seller set none.
    pub reserve_id: Option<ReserveId>,
    /// When the auction starts to take bids.
    pub starts_at: Stored<Moment>,
    /// When the auction stops taking bids.
    pub ends_at: Stored<Moment>,
    /// The anti-sniping window in seconds: a bid within so many seconds of the end extends the auction.
    /// 0 if no bid does.
    pub anti_sniping_window_s: u32,
    /// Beyond what moment late bids do not extend the auction; none if a build before there was one scheduled it.
    pub latest_end_at: Option<Stored<Moment>>,
}

/// How many of those who did not get the product the close of an auction names.
const RUNNERS_UP_MAX: usize = 20;

/// A bid that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bid {
    /// The user who bid.
    pub bidder_id: UserId,
    /// The amount of the bid.
    pub amount: Stored<Price>,
}

/// The state of an auction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Auction {
    /// There is no such auction.
    #[default]
    None,
    /// The auction is scheduled and takes no bids yet.
    Scheduled {
        /// What the seller scheduled.
        terms: Terms,
    },
    /// The auction takes bids until its end.
    Open {
        /// What the seller scheduled, with the end as late bids have extended it.
        terms: Terms,
        /// The highest bid so far; none if nobody has bid.
        leading: Option<Bid>,
        /// The best bid of each other bidder, the highest first: of as many as the close will name.
        others: Vec<Bid>,
    },
    /// The auction was closed or cancelled.
    Over,
}

impl AggregateState for Auction {
    type Event = Event;

    const NONE: &'static Self = &Self::None;
    const STATE_VERSION: i16 = 3;

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Scheduled {
                auction_id: _,
                product_id,
                category_id: _,
                seller_id,
                title: _,
                starting_price,
                minimum_increment,
                buy_now_price,
                reserve_id,
                starts_at,
                ends_at,
                anti_sniping_window_s,
                latest_end_at,
            } => {
                let terms = Terms {
                    product_id: *product_id,
                    seller_id: *seller_id,
                    starting_price: *starting_price,
                    minimum_increment: *minimum_increment,
                    buy_now_price: *buy_now_price,
                    reserve_id: *reserve_id,
                    starts_at: *starts_at,
                    ends_at: *ends_at,
                    anti_sniping_window_s: *anti_sniping_window_s,
                    latest_end_at: *latest_end_at,
                };
                *self = Self::Scheduled { terms };
            }
            Event::Opened { .. } => {
                if let Self::Scheduled { terms } = self {
                    *self = Self::Open {
                        terms: terms.clone(),
                        leading: None,
                        others: Vec::new(),
                    };
                }
            }
            Event::BidPlaced {
                bidder_id, amount, ..
            } => {
                if let Self::Open {
                    leading, others, ..
                } = self
                {
                    let bid = Bid {
                        bidder_id: *bidder_id,
                        amount: *amount,
                    };
                    take_lead(bid, leading, others);
                }
            }
            Event::Extended { ends_at, .. } => {
                if let Self::Open { terms, .. } = self {
                    terms.ends_at = *ends_at;
                }
            }
            Event::BoughtNow { .. } => {}
            Event::Closed { .. } | Event::Cancelled { .. } => *self = Self::Over,
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::Open { others, .. } => others.capacity() * size_of::<Bid>(),
            Self::None | Self::Scheduled { .. } | Self::Over => 0,
        }
    }
}

/// Places a bid above all others. Bids rise, so what led before is the highest of the rest; and since nobody leaves the
/// rest without another coming in, what is cut off is never missed.
fn take_lead(bid: Bid, leading: &mut Option<Bid>, others: &mut Vec<Bid>) {
    others.retain(|other| other.bidder_id != bid.bidder_id);
    if let Some(before) = leading.replace(bid)
        && before.bidder_id != bid.bidder_id
    {
        others.insert(0, before);
        others.truncate(RUNNERS_UP_MAX);
    }
}
