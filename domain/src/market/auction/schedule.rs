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
    /// What is wrong with the prices, whatever the state is.
    #[must_use]
    pub fn faults_of_prices(&self) -> Vec<Error> {
        let starting_price = self.starting_price.amount();
        let reserve = self.reserve.map_or(starting_price, |(_, amount)| amount);
        let is_too_low = |price| price <= starting_price || price < reserve;
        let faults = [
            (reserve < starting_price, Error::ReserveTooLow),
            (
                self.buy_now_price.is_some_and(is_too_low),
                Error::BuyNowTooLow,
            ),
        ];
        found(faults)
    }

    /// What is wrong with the times, whatever the state is.
    #[must_use]
    pub fn faults_of_times(&self, now: Timestamp) -> Vec<Error> {
        let starts_at = self.starts_at(now);
        let ends_at = self.ends_at.timestamp();
        let is_too_far = |time| time - now > AHEAD_MAX;
        let window_s = self.anti_sniping_window_s;
        let mut faults = found([
            (starts_at < now, Error::StartsInThePast),
            (is_too_far(starts_at), Error::TooFarAhead("starts_at")),
            (is_too_far(ends_at), Error::TooFarAhead("ends_at")),
            (ends_at < now, Error::EndsInThePast),
        ]);
        // How far apart they are says nothing before both can be meant.
        let lasts = DURATION_MIN..=DURATION_MAX;
        if faults.is_empty() && !lasts.contains(&(ends_at - starts_at)) {
            faults.push(Error::DurationOutOfRange);
        }
        if window_s > ANTI_SNIPING_WINDOW_MAX_S {
            faults.push(Error::WindowTooLong);
        }
        faults
    }

    fn starts_at(&self, now: Timestamp) -> Timestamp {
        self.starts_at.map_or(now, Moment::timestamp)
    }
}

/// Those faults that there are.
fn found<const N: usize>(faults: [(bool, Error); N]) -> Vec<Error> {
    let found = faults.into_iter().filter(|(is_one, _)| *is_one);
    found.map(|(_, fault)| fault).collect()
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
        let faults = [self.faults_of_prices(), self.faults_of_times(view.now())].concat();
        Refusal::all(refusals(faults))?;
        let offer = product::require_own_listed(view, product_id)?;
        product::require_not_auctioned(view, product_id)?;
        category::require_active(view, offer.category_id)?;
        let starts_at = Moment::nearest(self.starts_at(view.now()));
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
