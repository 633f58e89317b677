//! Auctions: the one state, and what its commands share. Each command is in a file of its own kind.

mod bid;
mod end;
mod error;
mod schedule;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use tidemark_events::market::auction::{Event, Outcome};
use tidemark_events::{AuctionId, Money, ProductId, ReserveId, Timestamp, UserId};

pub use bid::{BuyNow, PlaceBid};
pub use end::{Cancel, Close};
pub use error::Error;
pub use schedule::{
    AMOUNT_MAX, ANTI_SNIPING_WINDOW_MAX_S, DURATION_MAX, DURATION_MIN, Open, Schedule,
};

use crate::market::product;
use crate::{AggregateState, Stop, View, Write};

/// What was announced, with the end as late bids have moved it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// What is sold.
    pub product_id: ProductId,
    /// Who sells.
    pub seller_id: UserId,
    /// The lowest first bid.
    pub starting_price: Money,
    /// By how much each bid must exceed the one before, in minor units.
    pub minimum_increment: i64,
    /// The price that ends it at once, in minor units.
    pub buy_now_price: Option<i64>,
    /// Where the hidden reserve is, if there is one.
    pub reserve_id: Option<ReserveId>,
    /// From when bids are taken.
    pub starts_at: Timestamp,
    /// Until when.
    pub ends_at: Timestamp,
    /// A bid in this many last seconds moves the end.
    pub anti_sniping_window_s: u32,
}

/// The highest bid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bid {
    /// Whose.
    pub bidder_id: UserId,
    /// How much.
    pub amount: Money,
}

/// An auction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Auction {
    /// There is none.
    #[default]
    None,
    /// It was announced.
    Scheduled {
        /// As announced.
        terms: Terms,
    },
    /// It takes bids until its end.
    Open {
        /// As announced and extended.
        terms: Terms,
        /// The highest bid so far.
        leading: Option<Bid>,
    },
    /// Closed or cancelled.
    Over,
}

impl AggregateState for Auction {
    type Event = Event;

    const NONE: &'static Self = &Self::None;
    const STATE_VERSION: i16 = 1;

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
                };
                *self = Self::Scheduled { terms };
            }
            Event::Opened { .. } => {
                if let Self::Scheduled { terms } = self {
                    *self = Self::Open {
                        terms: terms.clone(),
                        leading: None,
                    };
                }
            }
            Event::BidPlaced {
                bidder_id, amount, ..
            } => {
                if let Self::Open { leading, .. } = self {
                    *leading = Some(Bid {
                        bidder_id: *bidder_id,
                        amount: *amount,
                    });
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
}

/// An auction that is not over.
#[derive(Clone, Copy, Debug)]
struct Running<'a> {
    id: AuctionId,
    terms: &'a Terms,
    leading: Option<Bid>,
    opened: bool,
}

impl<'a> Running<'a> {
    fn find(view: &View<'a>, id: AuctionId) -> Result<Self, Stop> {
        match view.get::<Auction>(id.0)? {
            Auction::None => Err(Error::NotFound.into()),
            Auction::Over => Err(Error::Over.into()),
            Auction::Scheduled { terms } => Ok(Self {
                id,
                terms,
                leading: None,
                opened: false,
            }),
            Auction::Open { terms, leading } => Ok(Self {
                id,
                terms,
                leading: *leading,
                opened: true,
            }),
        }
    }

    fn is_past_end(&self, view: &View<'_>) -> bool {
        view.now() >= self.terms.ends_at
    }

    fn write(&self, event: Event) -> Write {
        Write::event(self.id.0, event)
    }

    /// The opening, where it is still to be written: a decision may be ahead of the timer.
    fn opening(&self) -> Option<Write> {
        (!self.opened).then(|| {
            self.write(Event::Opened {
                auction_id: self.id,
                product_id: self.terms.product_id,
                seller_id: self.terms.seller_id,
            })
        })
    }

    /// The end, with all that it means for the product.
    fn closing(&self, view: &View<'_>, outcome: Outcome) -> Result<Vec<Write>, Stop> {
        let product_id = self.terms.product_id;
        let mut writes = vec![self.write(Event::Closed {
            auction_id: self.id,
            product_id,
            seller_id: self.terms.seller_id,
            outcome,
        })];
        match outcome {
            Outcome::Sold { winner_id, price } => {
                writes.push(product::sold(view, product_id, self.id, winner_id, price)?);
            }
            Outcome::Unsold {} | Outcome::ReserveNotMet {} => {}
        }
        writes.push(Write::Release(product::auctioned(product_id)));
        Ok(writes)
    }
}
