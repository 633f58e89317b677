//! How auctions begin: announced by sellers, opened on time.

use chrono::TimeDelta;
use tidemark_events::identity::user::Role;
use tidemark_events::market::auction::Event;
use tidemark_events::market::reserve;
use tidemark_events::{AuctionId, Money, ProductId, ReserveId, Timestamp};

use super::{Error, Running};
use crate::identity::access;
use crate::market::{category, product};
use crate::{Command, Stop, View, Write};

/// The highest amount in minor units: far below where the sum of two would overflow.
pub const AMOUNT_MAX: i64 = 1_000_000_000_000_000;
/// An auction that nobody could bid in is none.
pub const DURATION_MIN: TimeDelta = TimeDelta::seconds(1);
/// A product is bound by one auction for no longer than this, late bids aside.
pub const DURATION_MAX: TimeDelta = TimeDelta::days(30);
/// An hour, so that no single bid moves the end far.
pub const ANTI_SNIPING_WINDOW_MAX_S: u32 = 3_600;

/// Goes on only with an amount that somebody can pay and that sums cannot overflow.
pub(super) fn require_in_range(amount: i64) -> Result<(), Error> {
    if (1..=AMOUNT_MAX).contains(&amount) {
        Ok(())
    } else {
        Err(Error::AmountOutOfRange)
    }
}

/// Announces an auction of a listed product.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// The new auction.
    pub auction_id: AuctionId,
    /// What is sold.
    pub product_id: ProductId,
    /// The hidden reserve: its new stream, and the least that sells in minor units.
    pub reserve: Option<(ReserveId, i64)>,
    /// The lowest first bid; its currency is the auction's.
    pub starting_price: Money,
    /// By how much each bid must exceed the one before, in minor units.
    pub minimum_increment: i64,
    /// The price that ends it at once, in minor units.
    pub buy_now_price: Option<i64>,
    /// From when bids are taken; none means at once.
    pub starts_at: Option<Timestamp>,
    /// Until when.
    pub ends_at: Timestamp,
    /// A bid in this many last seconds makes the auction last as long again; 0 for never.
    pub anti_sniping_window_s: u32,
}

impl Schedule {
    fn check_prices(&self) -> Result<(), Error> {
        let starting_price = self.starting_price.amount;
        let reserve = self.reserve.map_or(starting_price, |(_, amount)| amount);
        require_in_range(starting_price)?;
        require_in_range(self.minimum_increment)?;
        require_in_range(reserve)?;
        if reserve < starting_price {
            return Err(Error::ReserveTooLow);
        }
        if let Some(buy_now_price) = self.buy_now_price {
            require_in_range(buy_now_price)?;
            if buy_now_price <= starting_price || buy_now_price < reserve {
                return Err(Error::BuyNowTooLow);
            }
        }
        Ok(())
    }

    fn check_times(&self, now: Timestamp) -> Result<Timestamp, Error> {
        let starts_at = self.starts_at.unwrap_or(now);
        if starts_at < now {
            return Err(Error::StartsInThePast);
        }
        if !(DURATION_MIN..=DURATION_MAX).contains(&(self.ends_at - starts_at)) {
            return Err(Error::DurationOutOfRange);
        }
        if self.anti_sniping_window_s > ANTI_SNIPING_WINDOW_MAX_S {
            return Err(Error::WindowTooLong);
        }
        Ok(starts_at)
    }
}

impl Command for Schedule {
    fn name(&self) -> &'static str {
        "schedule_auction"
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let (auction_id, product_id) = (self.auction_id, self.product_id);
        access::require(view, Role::Seller)?;
        self.check_prices()?;
        let offer = product::own_listed(view, product_id)?;
        product::require_not_auctioned(view, product_id)?;
        category::require_active(view, offer.category_id)?;
        let starts_at = self.check_times(view.now())?;
        let mut writes = vec![
            Write::event(
                auction_id.0,
                Event::Scheduled {
                    auction_id,
                    product_id,
                    category_id: offer.category_id,
                    seller_id: offer.seller_id,
                    title: offer.title.clone(),
                    starting_price: self.starting_price,
                    minimum_increment: self.minimum_increment,
                    buy_now_price: self.buy_now_price,
                    reserve_id: self.reserve.map(|(id, _)| id),
                    starts_at,
                    ends_at: self.ends_at,
                    anti_sniping_window_s: self.anti_sniping_window_s,
                },
            ),
            Write::Claim(product::auctioned(product_id), auction_id.0),
        ];
        if let Some((reserve_id, amount)) = self.reserve {
            writes.push(Write::event(
                reserve_id.0,
                reserve::Event::Set {
                    reserve_id,
                    auction_id,
                    product_id,
                    seller_id: offer.seller_id,
                    amount: Money {
                        amount,
                        currency: self.starting_price.currency,
                    },
                },
            ));
        }
        Ok(writes)
    }
}

/// Opens an auction whose start has come.
#[derive(Clone, Debug)]
pub struct Open {
    /// Which.
    pub auction_id: AuctionId,
}

impl Command for Open {
    fn name(&self) -> &'static str {
        "open_auction"
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        access::require_service(view)?;
        let auction = Running::find(view, self.auction_id)?;
        let opening = auction.opening().ok_or(Error::Open)?;
        if view.now() < auction.terms.starts_at {
            return Err(Error::NotDue(auction.terms.starts_at).into());
        }
        Ok(vec![opening])
    }
}
