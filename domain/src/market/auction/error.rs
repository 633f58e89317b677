//! Why an auction says no.

use tidemark_events::{Money, Timestamp};

use super::schedule::{AMOUNT_MAX, ANTI_SNIPING_WINDOW_MAX_S, DURATION_MAX, DURATION_MIN};
use crate::{Kind, Reason};

/// Why it may not be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No auction has that id.
    #[error("there is no such auction")]
    NotFound,
    /// It is another seller's.
    #[error("this auction is another seller's")]
    NotTheSeller,
    /// An amount is not positive, or so large that sums could overflow.
    #[error("amounts are from 1 to {AMOUNT_MAX} minor units")]
    AmountOutOfRange,
    /// Nobody could ever bid below the reserve.
    #[error("the reserve must not be below the starting price")]
    ReserveTooLow,
    /// Buying now would be cheaper than bidding.
    #[error("the buy-now price must be above the starting price and not below the reserve")]
    BuyNowTooLow,
    /// It would have begun before it was announced.
    #[error("the start is in the past")]
    StartsInThePast,
    /// It would end before it starts, or be too short or too long.
    #[error(
        "an auction lasts from {} seconds to {} days",
        DURATION_MIN.num_seconds(),
        DURATION_MAX.num_days()
    )]
    DurationOutOfRange,
    /// Each bid would move the end too far.
    #[error("the anti-sniping window is at most {ANTI_SNIPING_WINDOW_MAX_S} seconds")]
    WindowTooLong,
    /// It takes no bids yet.
    #[error("the auction opens at {0}")]
    NotOpen(Timestamp),
    /// Opening what is open.
    #[error("the auction is open already")]
    Open,
    /// It takes no bids any more.
    #[error("the auction is over")]
    Over,
    /// A timer came too early, perhaps because a late bid moved the end.
    #[error("this is not due before {0}")]
    NotDue(Timestamp),
    /// Sellers do not bid on what they sell.
    #[error("this is your own auction")]
    OwnAuction,
    /// Bids are in the currency of the auction.
    #[error("this auction is in {}", .0.currency.code())]
    WrongCurrency(Money),
    /// It does not exceed the last bid by the increment.
    #[error("the next bid is at least {} in minor units of {}", .0.amount, .0.currency.code())]
    BidTooLow(Money),
    /// The seller named no buy-now price.
    #[error("this auction has no buy-now price")]
    NoBuyNowPrice,
    /// Somebody bid, which ends the buy-now offer and the seller's right to cancel.
    #[error("there are bids already")]
    HasBids,
}

impl Reason for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::NotTheSeller => Kind::Forbidden,
            Self::AmountOutOfRange
            | Self::ReserveTooLow
            | Self::BuyNowTooLow
            | Self::StartsInThePast
            | Self::DurationOutOfRange
            | Self::WindowTooLong => Kind::Invalid,
            Self::NotOpen(_)
            | Self::Open
            | Self::Over
            | Self::NotDue(_)
            | Self::OwnAuction
            | Self::WrongCurrency(_)
            | Self::BidTooLow(_)
            | Self::NoBuyNowPrice
            | Self::HasBids => Kind::Conflict,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "auction_not_found",
            Self::NotTheSeller => "not_the_seller",
            Self::AmountOutOfRange => "amount_out_of_range",
            Self::ReserveTooLow => "reserve_too_low",
            Self::BuyNowTooLow => "buy_now_too_low",
            Self::StartsInThePast => "starts_in_the_past",
            Self::DurationOutOfRange => "duration_out_of_range",
            Self::WindowTooLong => "anti_sniping_window_too_long",
            Self::NotOpen(_) => "auction_not_open",
            Self::Open => "auction_already_open",
            Self::Over => "auction_over",
            Self::NotDue(_) => "not_due",
            Self::OwnAuction => "own_auction",
            Self::WrongCurrency(_) => "wrong_currency",
            Self::BidTooLow(_) => "bid_too_low",
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
}
