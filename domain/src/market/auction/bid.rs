//! What buyers do in an auction: they bid, or buy the product now.

use chrono::TimeDelta;
use tidemark_events::identity::user::Role;
use tidemark_events::market::auction::{Event, Outcome};
use tidemark_events::{Amount, AuctionId, Moment, Money, Price, Stored, Timestamp, UserId};
use uuid::Uuid;

use super::Error;
use super::error::EXAMPLE_PRICE;
use super::running::Running;
use crate::decision::refusals;
use crate::identity::access;
use crate::market::reserve;
use crate::{Command, Refusal, Stop, View, Write};

/// The auction, if the buyer may bid in it now.
fn find_open_to<'a>(view: &View<'a>, id: AuctionId, buyer_id: UserId) -> Result<Running<'a>, Stop> {
    let auction = Running::find(view, id)?;
    if auction.terms.seller_id == buyer_id {
        return Err(Error::OwnAuction.into());
    }
    if view.now() < *auction.terms.starts_at {
        return Err(Error::NotOpen(*auction.terms.starts_at).into());
    }
    if auction.is_past_end(view) {
        return Err(Error::Over.into());
    }
    Ok(auction)
}

/// How [`find_open_to`] refuses.
fn open_refusals() -> Vec<Refusal> {
    let closed = refusals([Error::OwnAuction, Error::NotOpen(Timestamp::UNIX_EPOCH)]);
    [Running::refusals(), closed].concat()
}

/// Places a bid, which must be at least the starting price, and exceed the highest bid by the increment
/// whoever placed it: bidders who lead must outbid themselves too. A first bid that reaches the buy-now price
/// buys at that price, since nobody would pay more for what is sold for less.
#[derive(Clone, Debug)]
pub struct PlaceBid {
    /// The auction to bid in.
    pub auction_id: AuctionId,
    /// The amount of the bid, in the auction's currency.
    pub amount: Price,
}

impl PlaceBid {
    fn require_high_enough(&self, auction: &Running<'_>) -> Result<(), Error> {
        let (bid, starting_price) = (Money::from(self.amount), *auction.terms.starting_price);
        if bid.currency != starting_price.currency {
            return Err(Error::WrongCurrency(starting_price));
        }
        let minimum = auction.leading.map_or(starting_price, |bid| Money {
            amount: bid.amount.amount + *auction.terms.minimum_increment,
            ..*bid.amount
        });
        if Amount::<1>::try_from(minimum.amount).is_err() {
            return Err(Error::NoHigherBid);
        }
        if bid.amount < minimum.amount {
            return Err(Error::BidTooLow(minimum));
        }
        Ok(())
    }
}

impl Command for PlaceBid {
    fn name(&self) -> &'static str {
        "place_bid"
    }

    fn roots(&self) -> Vec<Uuid> {
        vec![self.auction_id.0]
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([
            Error::WrongCurrency(EXAMPLE_PRICE),
            Error::BidTooLow(EXAMPLE_PRICE),
            Error::NoHigherBid,
        ]);
        [access::role_refusals(Role::Buyer), own, open_refusals()].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let bidder_id = access::require(view, Role::Buyer)?;
        let auction = find_open_to(view, self.auction_id, bidder_id)?;
        self.require_high_enough(&auction)?;
        let amount = Stored::from(self.amount);
        if let Ok(price) = auction.buy_now_price()
            && amount.amount >= price.amount
        {
            return purchase(view, &auction, bidder_id, price);
        }
        let (auction_id, terms) = (auction.id, auction.terms);
        let reserve_met = reserve::is_met(view, terms.reserve_id, amount.amount)?;
        let bid = auction.write(Event::BidPlaced {
            auction_id,
            product_id: terms.product_id,
            seller_id: terms.seller_id,
            bidder_id,
            amount,
            reserve_met,
            outbid_id: auction.outbid_by(bidder_id),
        });
        let ends_at = view.now() + TimeDelta::seconds(terms.anti_sniping_window_s.into());
        let ends_at = Stored::from(Moment::nearest(ends_at));
        let ends_at = terms.latest_end_at.map_or(ends_at, |it| ends_at.min(it));
        let extension = (ends_at > terms.ends_at).then(|| {
            auction.write(Event::Extended {
                auction_id,
                product_id: terms.product_id,
                seller_id: terms.seller_id,
                ends_at,
            })
        });
        Ok(auction
            .opening()
            .into_iter()
            .chain([bid])
            .chain(extension)
            .collect())
    }
}

/// Buys the product at the buy-now price, which ends the auction. It is possible until the first bid.
#[derive(Clone, Debug)]
pub struct BuyNow {
    /// The auction whose product is bought.
    pub auction_id: AuctionId,
}

impl Command for BuyNow {
    fn name(&self) -> &'static str {
        "buy_now"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::NoBuyNowPrice, Error::HasBids]);
        [access::role_refusals(Role::Buyer), own, open_refusals()].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let buyer_id = access::require(view, Role::Buyer)?;
        let auction = find_open_to(view, self.auction_id, buyer_id)?;
        let price = auction.buy_now_price()?;
        purchase(view, &auction, buyer_id, price)
    }
}

/// Ends the auction by a purchase at the buy-now price.
fn purchase(
    view: &View<'_>,
    auction: &Running<'_>,
    buyer_id: UserId,
    price: Stored<Price>,
) -> Result<Vec<Write>, Stop> {
    let purchase = auction.write(Event::BoughtNow {
        auction_id: auction.id,
        product_id: auction.terms.product_id,
        seller_id: auction.terms.seller_id,
        buyer_id,
        price,
    });
    let outcome = Outcome::Sold {
        winner_id: buyer_id,
        price,
    };
    Ok(auction
        .opening()
        .into_iter()
        .chain([purchase])
        .chain(auction.closing(view, outcome)?)
        .collect())
}
