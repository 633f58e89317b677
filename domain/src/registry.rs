//! The one list of aggregates' states. It holds no state and no rule.

use tidemark_events::Aggregate as Kind;

use crate::Aggregate;
use crate::state::{Kept, State, StateOf};

/// How the states of an aggregate come to be.
pub(crate) struct Registered {
    /// That of a stream before its first event.
    pub(crate) empty: fn() -> Box<dyn State>,
    /// One that was kept.
    pub(crate) restore: fn(&Kept) -> Option<Box<dyn State>>,
}

/// What is known of that aggregate.
pub(crate) const fn of(aggregate: Kind) -> Registered {
    match aggregate {
        Kind::User => registered::<crate::user::User>(),
        Kind::Credential => registered::<crate::credential::Credential>(),
        Kind::Session => registered::<crate::session::Session>(),
        Kind::Category => registered::<crate::category::Category>(),
        Kind::Product => registered::<crate::product::Product>(),
        Kind::Auction => registered::<crate::auction::Auction>(),
        Kind::Reserve => registered::<crate::reserve::Reserve>(),
        Kind::Reading => registered::<crate::reading::Reading>(),
    }
}

const fn registered<A: Aggregate>() -> Registered {
    Registered {
        empty: || Box::new(StateOf(A::default())),
        restore: Kept::restore::<A>,
    }
}
