//! The reasons for which commands on auctions are refused.

use tidemark_events::{Currency, Money, Timestamp};

use super::limits::{AHEAD_MAX, ANTI_SNIPING_WINDOW_MAX_S, DURATION_MAX, DURATION_MIN};
use crate::{Reason, RefusalKind};

/// The price in the examples of reasons that carry one.
pub(super) const EXAMPLE_PRICE: Money = Money {
    amount: 12_000,
    currency: Currency::EUR,
};

/// Why a command on an auction is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No auction has that id.
    #[error("there is no such auction")]
    NotFound,
    /// The auction is another seller's.
    #[error("this auction is another seller's")]
    NotTheSeller,
    /// The reserve is below the starting price, so that it would never matter.
    #[error("the reserve must not be below the starting price")]
    ReserveTooLow,
    /// Buying now would be as cheap as bidding, or cheaper than the reserve allows.
    #[error("the buy-now price must be above the starting price and not below the reserve")]
    BuyNowTooLow,
    /// The auction would have started before it was scheduled.
    #[error("the start is in the past")]
    StartsInThePast,
    /// The auction would start or end in the far future.
    #[error("an auction starts and ends within {} days", AHEAD_MAX.num_days())]
    TooFarAhead,
    /// The auction would end before it starts, or would be too short or too long.
    #[error(
        "an auction ends {} s to {} days after its start",
        DURATION_MIN.num_seconds(),
        DURATION_MAX.num_days()
    )]
    DurationOutOfRange,
    /// A single late bid would extend the auction by too much.
    #[error("the anti-sniping window is at most {ANTI_SNIPING_WINDOW_MAX_S} seconds")]
    WindowTooLong,
    /// The auction takes no bids yet; it does from this moment on.
    #[error("the auction opens at {0}")]
    NotOpen(Timestamp),
    /// The auction that is to be opened is open already.
    #[error("the auction is open already")]
    Open,
    /// The auction has ended or was cancelled.
    #[error("the auction is over")]
    Over,
    /// A timer came before this moment, perhaps because a late bid extended the auction.
    #[error("this is not due before {0}")]
    NotDue(Timestamp),
    /// Sellers can neither bid in their own auctions nor buy from themselves.
    #[error("this is your own auction")]
    OwnAuction,
    /// The bid is in another currency than the auction, whose starting price this is.
    #[error("bids in this auction are in {}", .0.currency.code())]
    WrongCurrency(Money),
    /// The bid is lower than this, the lowest amount that the auction accepts next.
    #[error("the next bid is at least {} in minor units of {}", .0.amount, .0.currency.code())]
    BidTooLow(Money),
    /// The highest bid is so high that the next one would exceed the largest amount.
    #[error("no higher bid is possible")]
    NoHigherBid,
    /// The seller set no buy-now price.
    #[error("this auction has no buy-now price")]
    NoBuyNowPrice,
    /// Somebody has bid, which ends the buy-now offer and the seller's right to cancel.
    #[error("the auction has bids already")]
    HasBids,
}

impl Reason for Error {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::NotFound => RefusalKind::NotFound,
            Self::NotTheSeller => RefusalKind::Forbidden,
            Self::ReserveTooLow
            | Self::BuyNowTooLow
            | Self::StartsInThePast
            | Self::TooFarAhead
            | Self::DurationOutOfRange
            | Self::WindowTooLong => RefusalKind::Invalid,
            Self::NotOpen(_)
            | Self::Open
            | Self::Over
            | Self::NotDue(_)
            | Self::OwnAuction
            | Self::WrongCurrency(_)
            | Self::BidTooLow(_)
            | Self::NoHigherBid
            | Self::NoBuyNowPrice
            | Self::HasBids => RefusalKind::Conflict,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "auction_not_found",
            Self::NotTheSeller => "not_the_seller",
            Self::ReserveTooLow => "reserve_too_low",
            Self::BuyNowTooLow => "buy_now_too_low",
            Self::StartsInThePast => "starts_in_the_past",
            Self::TooFarAhead => "too_far_ahead",
            Self::DurationOutOfRange => "duration_out_of_range",
            Self::WindowTooLong => "anti_sniping_window_too_long",
            Self::NotOpen(_) => "auction_not_open",
            Self::Open => "auction_already_open",
            Self::Over => "auction_over",
            Self::NotDue(_) => "not_due",
            Self::OwnAuction => "own_auction",
            Self::WrongCurrency(_) => "wrong_currency",
            Self::BidTooLow(_) => "bid_too_low",
            Self::NoHigherBid => "no_higher_bid",
            Self::NoBuyNowPrice => "no_buy_now_price",
            Self::HasBids => "auction_has_bids",
        }
    }

    fn retry_at(&self) -> Option<Timestamp> {
        if let Self::NotDue(at) = self {
            Some(*at)
        } else {
            None
        }
    }

    fn minimum(&self) -> Option<Money> {
        if let Self::BidTooLow(minimum) = self {
            Some(*minimum)
        } else {
            None
        }
    }
}
