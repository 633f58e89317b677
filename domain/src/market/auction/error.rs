//! The reasons for which commands on auctions are refused.

use tidemark_events::{Currency, Money, Timestamp};

use super::limits::{AHEAD_MAX, ANTI_SNIPING_WINDOW_MAX_S, DURATION_MAX, DURATION_MIN};
use crate::{Code, Reason, RefusalKind};

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
    /// The auction would start or end in the far future. The field says which of the two.
    #[error("an auction starts and ends within {} days", AHEAD_MAX.num_days())]
    TooFarAhead(&'static str),
    /// The auction would have ended before it was scheduled.
    #[error("the end is in the past")]
    EndsInThePast,
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
            | Self::TooFarAhead(_)
            | Self::EndsInThePast
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

    fn code(&self) -> Code {
        match self {
            Self::NotFound => Code {
                name: "auction_not_found",
                meaning: "No auction has this id.",
                what_to_do: "Check the id.",
            },
            Self::NotTheSeller => Code {
                name: "not_the_seller",
                meaning: "Only the seller may do this, and this is another seller's.",
                what_to_do: "Nothing: only the seller can.",
            },
            Self::ReserveTooLow => Code {
                name: "reserve_too_low",
                meaning: "The reserve is below the starting price, so that it would never matter.",
                what_to_do: "Raise `reserve_price`, or leave it out.",
            },
            Self::BuyNowTooLow => Code {
                name: "buy_now_too_low",
                meaning: "The buy-now price is not above the starting price, or it is below the reserve.",
                what_to_do: "Raise `buy_now_price`, or leave it out.",
            },
            Self::StartsInThePast => Code {
                name: "starts_in_the_past",
                meaning: "The start of the auction has passed.",
                what_to_do: "State a later `starts_at`, or leave it out to start at once.",
            },
            Self::TooFarAhead(_) => Code {
                name: "too_far_ahead",
                meaning: "The auction would start or end further ahead than is allowed.",
                what_to_do: "State an earlier time: `detail` says how far ahead it may be.",
            },
            Self::EndsInThePast | Self::DurationOutOfRange => Code {
                name: "duration_out_of_range",
                meaning: "The auction would end too soon after its start, or too late, or its end has passed.",
                what_to_do: "State another `ends_at`: `detail` says what is allowed.",
            },
            Self::WindowTooLong => Code {
                name: "anti_sniping_window_too_long",
                meaning: "A single late bid would extend the auction by too much.",
                what_to_do: "Lower `anti_sniping_window_s`.",
            },
            Self::NotOpen(_) => Code {
                name: "auction_not_open",
                meaning: "The auction takes no bids before its start.",
                what_to_do: "Wait for the start, which `detail` and the auction's `starts_at` tell.",
            },
            Self::Open => Code {
                name: "auction_already_open",
                meaning: "The auction that is to be opened is open.",
                what_to_do: "Nothing: it is as wanted.",
            },
            Self::Over => Code {
                name: "auction_over",
                meaning: "The auction has ended or was cancelled.",
                what_to_do: "Nothing: an auction never opens again.",
            },
            Self::NotDue(_) => Code {
                name: "not_due",
                meaning: "A timer came before the moment at which this may be done.",
                what_to_do: "Send it again at `retry_at`.",
            },
            Self::OwnAuction => Code {
                name: "own_auction",
                meaning: "Sellers can neither bid in their own auctions nor buy from themselves.",
                what_to_do: "Nothing: somebody else must bid.",
            },
            Self::WrongCurrency(_) => Code {
                name: "wrong_currency",
                meaning: "The bid is in another currency than the auction.",
                what_to_do: "Bid in the currency of the auction's `starting_price`.",
            },
            Self::BidTooLow(_) => Code {
                name: "bid_too_low",
                meaning: "The bid is lower than the lowest amount that the auction accepts next.",
                what_to_do: "Bid at least `minimum`, or give up.",
            },
            Self::NoHigherBid => Code {
                name: "no_higher_bid",
                meaning: "The highest bid is so high that the next one would exceed the largest amount.",
                what_to_do: "Nothing: nobody can outbid it.",
            },
            Self::NoBuyNowPrice => Code {
                name: "no_buy_now_price",
                meaning: "The seller of this auction set no buy-now price.",
                what_to_do: "Place a bid.",
            },
            Self::HasBids => Code {
                name: "auction_has_bids",
                meaning: "Somebody has bid, after which nobody can buy at the buy-now price, and the seller cannot cancel.",
                what_to_do: "Place a bid to buy. A seller waits for the end.",
            },
        }
    }

    fn field(&self) -> Option<&'static str> {
        match self {
            Self::ReserveTooLow => Some("reserve_price"),
            Self::BuyNowTooLow => Some("buy_now_price"),
            Self::StartsInThePast => Some("starts_at"),
            Self::TooFarAhead(field) => Some(field),
            Self::EndsInThePast | Self::DurationOutOfRange => Some("ends_at"),
            Self::WindowTooLong => Some("anti_sniping_window_s"),
            Self::NotFound
            | Self::NotTheSeller
            | Self::NotOpen(_)
            | Self::Open
            | Self::Over
            | Self::NotDue(_)
            | Self::OwnAuction
            | Self::WrongCurrency(_)
            | Self::BidTooLow(_)
            | Self::NoHigherBid
            | Self::NoBuyNowPrice
            | Self::HasBids => None,
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
