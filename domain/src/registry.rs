//! The one list of aggregates' states. It holds no state and no rule.

use tidemark_events::Aggregate as Kind;

use crate::{
    Aggregate,
    decision::{State, StateOf},
};

/// The state of a stream of that aggregate before its first event.
pub(crate) fn empty(aggregate: Kind) -> Box<dyn State> {
    match aggregate {
        Kind::User => boxed::<crate::user::User>(),
        Kind::Credential => boxed::<crate::credential::Credential>(),
        Kind::Session => boxed::<crate::session::Session>(),
        Kind::Category => boxed::<crate::category::Category>(),
        Kind::Product => boxed::<crate::product::Product>(),
        Kind::Auction => boxed::<crate::auction::Auction>(),
        Kind::Reserve => boxed::<crate::reserve::Reserve>(),
        Kind::Reading => boxed::<crate::reading::Reading>(),
    }
}

fn boxed<A: Aggregate>() -> Box<dyn State> {
    Box::new(StateOf(A::default()))
}
