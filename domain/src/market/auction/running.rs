//! What the commands on an auction share: finding it while it is not over, and the events that open and
//! close it.

use tidemark_events::market::auction::{Event, Outcome, RunnerUp};
use tidemark_events::{AuctionId, Price, Stored, UserId};

use super::{Auction, Bid, Error, RUNNERS_UP_MAX, Terms};
use crate::decision::refusals;
use crate::market::product;
use crate::{Refusal, Stop, View, Write};

/// An auction that is neither closed nor cancelled. It may not be opened yet, and its end may have passed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Running<'a> {
    pub(super) id: AuctionId,
    pub(super) terms: &'a Terms,
    /// The highest bid so far; none if nobody has bid.
    pub(super) leading: Option<Bid>,
    /// The best bids of other bidders, the highest first.
    others: &'a [Bid],
    is_opened: bool,
}

impl<'a> Running<'a> {
    pub(super) fn find(view: &View<'a>, id: AuctionId) -> Result<Self, Stop> {
        match view.get::<Auction>(id.0)? {
            Auction::None => Err(Error::NotFound.into()),
            Auction::Over => Err(Error::Over.into()),
            Auction::Scheduled { terms } => Ok(Self {
                id,
                terms,
                leading: None,
                others: &[],
                is_opened: false,
            }),
            Auction::Open {
                terms,
                leading,
                others,
            } => Ok(Self {
                id,
                terms,
                leading: *leading,
                others,
                is_opened: true,
            }),
        }
    }

    /// How [`Self::find`] refuses.
    pub(super) fn refusals() -> Vec<Refusal> {
        refusals([Error::NotFound, Error::Over])
    }

    pub(super) fn is_past_end(&self, view: &View<'_>) -> bool {
        view.now() >= *self.terms.ends_at
    }

    /// The price for which a buyer may end the auction now.
    pub(super) fn buy_now_price(&self) -> Result<Stored<Price>, Error> {
        let amount = self.terms.buy_now_price.ok_or(Error::NoBuyNowPrice)?;
        if self.leading.is_some() {
            return Err(Error::HasBids);
        }
        Ok(self.terms.starting_price.with_amount(amount))
    }

    /// An event of this auction.
    pub(super) fn write(&self, event: Event) -> Write {
        Write::event(self.id.0, event)
    }

    /// The opening, unless it was written before. A bid may come after the start and before the timer, and
    /// must not wait for it.
    pub(super) fn opening(&self) -> Option<Write> {
        (!self.is_opened).then(|| {
            self.write(Event::Opened {
                auction_id: self.id,
                product_id: self.terms.product_id,
                seller_id: self.terms.seller_id,
            })
        })
    }

    /// Whom a bid of this user outbids, if anybody else leads.
    pub(super) fn outbid_by(&self, bidder_id: UserId) -> Option<UserId> {
        let leader = self.leading.map(|bid| bid.bidder_id);
        leader.filter(|leader| *leader != bidder_id)
    }

    /// The best bids of those who do not get the product: without a sale that of the leader is among them.
    fn runners_up(&self, outcome: &Outcome) -> Vec<RunnerUp> {
        let unlucky_leader = match outcome {
            Outcome::Sold { .. } => None,
            Outcome::Unsold {} | Outcome::ReserveNotMet {} => self.leading,
        };
        let bids = unlucky_leader.iter().chain(self.others);
        let runner_up = |bid: &Bid| RunnerUp {
            bidder_id: bid.bidder_id,
            amount: bid.amount,
        };
        bids.take(RUNNERS_UP_MAX).map(runner_up).collect()
    }

    /// The close, the sale of the product if there is one, and the release of the product.
    pub(super) fn closing(&self, view: &View<'_>, outcome: Outcome) -> Result<Vec<Write>, Stop> {
        let product_id = self.terms.product_id;
        let mut writes = vec![self.write(Event::Closed {
            auction_id: self.id,
            product_id,
            seller_id: self.terms.seller_id,
            outcome,
            runners_up: self.runners_up(&outcome),
        })];
        match outcome {
            Outcome::Sold { winner_id, price } => {
                writes.push(product::sale(view, product_id, self.id, winner_id, price)?);
            }
            Outcome::Unsold {} | Outcome::ReserveNotMet {} => {}
        }
        writes.push(product::release(view, product_id)?);
        Ok(writes)
    }
}
