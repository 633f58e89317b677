//! The reasons for which commands on watch lists are refused.

use crate::{Code, Reason, RefusalKind};

/// Why a command on a watch list is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The user watches the auction.
    #[error("you watch this auction already")]
    Watched,
    /// The user does not watch the auction.
    #[error("you do not watch this auction")]
    NotWatched,
    /// The user watches so many auctions that there can be no more.
    #[error("you watch {0} auctions, and no more can be watched")]
    Full(usize),
}

impl Reason for Error {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::Watched | Self::NotWatched | Self::Full(_) => RefusalKind::Conflict,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Watched => Code {
                name: "auction_watched",
                meaning: "You watch the auction.",
                what_to_do: "Nothing: it is as wanted.",
            },
            Self::NotWatched => Code {
                name: "auction_not_watched",
                meaning: "You do not watch the auction.",
                what_to_do: "Nothing: it is as wanted.",
            },
            Self::Full(_) => Code {
                name: "watch_list_full",
                meaning: "You watch as many auctions as one user may, those that are over included.",
                what_to_do: "Stop watching another auction first.",
            },
        }
    }
}
