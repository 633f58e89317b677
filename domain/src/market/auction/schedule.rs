//! How auctions begin: sellers schedule them, and a timer opens them at their start.

use chrono::TimeDelta;
use tidemark_events::identity::user::Role;
use tidemark_events::market::auction::Event;
use tidemark_events::market::reserve;
use tidemark_events::{Amount, AuctionId, Moment, Price, ProductId, ReserveId, Stored, Timestamp};
use uuid::Uuid;

use super::Error;
use super::limits::{AHEAD_MAX, ANTI_SNIPING_WINDOW_MAX_S, DURATION_MAX, DURATION_MIN};
use super::running::Running;
use crate::decision::refusals;
use crate::identity::access;
use crate::market::{category, product};
use crate::{Command, Refusal, Stop, View, Write};

/// Schedules an auction of a listed product of the seller who sends the command.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// The id of the new auction.
    pub auction_id: AuctionId,
    /// The product to sell.
    pub product_id: ProductId,
    /// The hidden reserve: the id of its new stream, and the lowest price at which the auction sells, in
    /// minor units of the auction's currency. None if every bid may win.
    pub reserve: Option<(ReserveId, Amount)>,
    /// The lowest amount of the first bid. Its currency is the auction's.
    pub starting_price: Price,
    /// By how much each bid must exceed the one before, in minor units of the auction's currency.
    pub minimum_increment: Amount,
    /// The price at which a buyer can end the auction at once, in minor units of the auction's currency;
    /// none if nobody can.
    pub buy_now_price: Option<Amount>,
    /// When the auction starts to take bids; none if it starts at once.
    pub starts_at: Option<Moment>,
    /// When the auction ends, unless a late bid extends it.
    pub ends_at: Moment,
    /// The anti-sniping window in seconds: a bid within so many seconds of the end extends the auction to
    /// so many seconds after the bid. 0 if no bid does.
    pub anti_sniping_window_s: u32,
    /// For how long after the announced end late bids may extend the auction altogether.
    pub extension_max: TimeDelta,
}

impl Schedule {
    fn check_prices(&self) -> Result<(), Error> {
        let starting_price = self.starting_price.amount();
        let reserve = self.reserve.map_or(starting_price, |(_, amount)| amount);
        if reserve < starting_price {
            return Err(Error::ReserveTooLow);
        }
        if let Some(buy_now_price) = self.buy_now_price
            && (buy_now_price <= starting_price || buy_now_price < reserve)
        {
            return Err(Error::BuyNowTooLow);
        }
        Ok(())
    }

    /// Checks the times, and returns the start.
    fn check_times(&self, now: Timestamp) -> Result<Moment, Error> {
        let starts_at = self.starts_at.map_or(now, Moment::timestamp);
        let ends_at = self.ends_at.timestamp();
        if starts_at < now {
            return Err(Error::StartsInThePast);
        }
        for (time, field) in [(starts_at, "starts_at"), (ends_at, "ends_at")] {
            if time - now > AHEAD_MAX {
                return Err(Error::TooFarAhead(field));
            }
        }
        if ends_at < now {
            return Err(Error::EndsInThePast);
        }
        if !(DURATION_MIN..=DURATION_MAX).contains(&(ends_at - starts_at)) {
            return Err(Error::DurationOutOfRange);
        }
        if self.anti_sniping_window_s > ANTI_SNIPING_WINDOW_MAX_S {
            return Err(Error::WindowTooLong);
        }
        Ok(Moment::nearest(starts_at))
    }
}

impl Command for Schedule {
    fn name(&self) -> &'static str {
        "schedule_auction"
    }

    fn roots(&self) -> Vec<Uuid> {
        vec![self.product_id.0]
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([
            Error::ReserveTooLow,
            Error::BuyNowTooLow,
            Error::StartsInThePast,
            Error::TooFarAhead("ends_at"),
            Error::EndsInThePast,
            Error::DurationOutOfRange,
            Error::WindowTooLong,
        ]);
        [
            own,
            product::own_listed_refusals(),
            product::not_auctioned_refusals(),
            category::active_refusals(),
        ]
        .concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let (auction_id, product_id) = (self.auction_id, self.product_id);
        access::require(view, Role::Seller)?;
        self.check_prices()?;
        let offer = product::require_own_listed(view, product_id)?;
        product::require_not_auctioned(view, product_id)?;
        category::require_active(view, offer.category_id)?;
        let starts_at = self.check_times(view.now())?;
        let latest_end_at = self.ends_at.timestamp() + self.extension_max;
        let mut writes = vec![
            Write::event(
                auction_id.0,
                Event::Scheduled {
                    auction_id,
                    product_id,
                    category_id: offer.category_id,
                    seller_id: offer.seller_id,
                    title: offer.title.clone(),
                    starting_price: self.starting_price.into(),
                    minimum_increment: self.minimum_increment.into(),
                    buy_now_price: self.buy_now_price.map(Stored::from),
                    reserve_id: self.reserve.map(|(id, _)| id),
                    starts_at: starts_at.into(),
                    ends_at: self.ends_at.into(),
                    anti_sniping_window_s: self.anti_sniping_window_s,
                    latest_end_at: Some(Moment::nearest(latest_end_at).into()),
                },
            ),
            Write::Claim(product::auction_claim(product_id), auction_id.0),
        ];
        if let Some((reserve_id, amount)) = self.reserve {
            writes.push(Write::event(
                reserve_id.0,
                reserve::Event::Set {
                    reserve_id,
                    auction_id,
                    product_id,
                    seller_id: offer.seller_id,
                    amount: self.starting_price.with_amount(amount).into(),
                },
            ));
        }
        Ok(writes)
    }
}

/// Opens an auction whose start has come. Only a service sends it.
#[derive(Clone, Debug)]
pub struct Open {
    /// The auction to open.
    pub auction_id: AuctionId,
}

impl Command for Open {
    fn name(&self) -> &'static str {
        "open_auction"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::Open, Error::NotDue(Timestamp::UNIX_EPOCH)]);
        [access::service_refusals(), own, Running::refusals()].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        access::require_service(view)?;
        let auction = Running::find(view, self.auction_id)?;
        let opening = auction.opening().ok_or(Error::Open)?;
        if view.now() < *auction.terms.starts_at {
            return Err(Error::NotDue(*auction.terms.starts_at).into());
        }
        Ok(vec![opening])
    }
}
