//! How auctions end: a timer closes them at their end, or their sellers cancel them.

use tidemark_events::identity::user::Role;
use tidemark_events::market::auction::{Event, Outcome};
use tidemark_events::{AuctionId, Timestamp};

use super::Error;
use super::running::Running;
use crate::decision::refusals;
use crate::identity::access;
use crate::market::{product, reserve};
use crate::{Command, Refusal, Stop, View, Write};

/// Closes an auction whose end has passed, with the outcome. Only a service sends it.
#[derive(Clone, Debug)]
pub struct Close {
    /// The auction to close.
    pub auction_id: AuctionId,
}

impl Command for Close {
    fn name(&self) -> &'static str {
        "close_auction"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::NotDue(Timestamp::UNIX_EPOCH)]);
        [access::service_refusals(), own, Running::refusals()].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        access::require_service(view)?;
        let auction = Running::find(view, self.auction_id)?;
        if !auction.is_past_end(view) {
            return Err(Error::NotDue(*auction.terms.ends_at).into());
        }
        let outcome = match auction.leading {
            None => Outcome::Unsold {},
            Some(bid) if reserve::is_met(view, auction.terms.reserve_id, bid.amount.amount)? => {
                Outcome::Sold {
                    winner_id: bid.bidder_id,
                    price: bid.amount,
                }
            }
            Some(_) => Outcome::ReserveNotMet {},
        };
        Ok(auction
            .opening()
            .into_iter()
            .chain(auction.closing(view, outcome)?)
            .collect())
    }
}

/// Cancels an auction of the seller who sends the command, before anybody has bid.
#[derive(Clone, Debug)]
pub struct Cancel {
    /// The auction to cancel.
    pub auction_id: AuctionId,
}

impl Command for Cancel {
    fn name(&self) -> &'static str {
        "cancel_auction"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::NotTheSeller, Error::HasBids]);
        [
            access::role_refusals(Role::Seller),
            own,
            Running::refusals(),
        ]
        .concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let seller_id = access::require(view, Role::Seller)?;
        let auction = Running::find(view, self.auction_id)?;
        let product_id = auction.terms.product_id;
        if auction.terms.seller_id != seller_id {
            return Err(Error::NotTheSeller.into());
        }
        if auction.is_past_end(view) {
            return Err(Error::Over.into());
        }
        if auction.leading.is_some() {
            return Err(Error::HasBids.into());
        }
        Ok(vec![
            auction.write(Event::Cancelled {
                auction_id: auction.id,
                product_id,
                seller_id,
            }),
            product::release(view, product_id)?,
        ])
    }
}
