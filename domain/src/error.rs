//! Why a rule says no, over all aggregates. Holds no HTTP words: each API turns kinds into answers.

use tidemark_events::Timestamp;

use crate::{Stop, auction};

/// What sort of refusal it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The intent makes no sense, whatever the state.
    Invalid,
    /// Nobody is known to ask, or not any more.
    Unauthenticated,
    /// Who asks may not.
    Forbidden,
    /// What it is about does not exist.
    NotFound,
    /// The state does not allow it.
    Conflict,
}

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident($module:ident),)+) => {
        /// Any refusal.
        #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
        pub enum Error {
            $($(#[$doc])* #[error(transparent)] $name(#[from] crate::$module::Error),)+
        }

        impl Error {
            /// What sort of refusal it is.
            #[must_use]
            pub const fn kind(&self) -> Kind {
                match self { $(Self::$name(error) => error.kind(),)+ }
            }

            /// The stable name that clients act on.
            #[must_use]
            pub const fn code(&self) -> &'static str {
                match self { $(Self::$name(error) => error.code(),)+ }
            }
        }

        $(impl From<crate::$module::Error> for Stop {
            fn from(error: crate::$module::Error) -> Self {
                Self::Refused(error.into())
            }
        })+
    };
}

errors! {
    /// About who asks.
    Access(access),
    /// About auctions.
    Auction(auction),
    /// About categories.
    Category(category),
    /// About products.
    Product(product),
    /// About sessions.
    Session(session),
    /// About users.
    User(user),
}

impl Error {
    /// When the same intent may succeed, if that is known.
    #[must_use]
    pub const fn retry_at(&self) -> Option<Timestamp> {
        if let Self::Auction(auction::Error::NotDue(at)) = self {
            Some(*at)
        } else {
            None
        }
    }
}
