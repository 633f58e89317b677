//! The one list of aggregates' states. It holds no state and no rule.

use tidemark_events::Aggregate as Kind;

use crate::{
    Aggregate,
    auction::Auction,
    category::Category,
    credential::Credential,
    decision::{State, StateOf},
    product::Product,
    reading::Reading,
    reserve::Reserve,
    session::Session,
    user::User,
};

/// The state of a stream of that aggregate before its first event.
pub(crate) fn empty(aggregate: Kind) -> Box<dyn State> {
    match aggregate {
        Kind::User => boxed::<User>(),
        Kind::Credential => boxed::<Credential>(),
        Kind::Session => boxed::<Session>(),
        Kind::Category => boxed::<Category>(),
        Kind::Product => boxed::<Product>(),
        Kind::Auction => boxed::<Auction>(),
        Kind::Reserve => boxed::<Reserve>(),
        Kind::Reading => boxed::<Reading>(),
    }
}

fn boxed<A: Aggregate>() -> Box<dyn State> {
    Box::new(StateOf(A::default()))
}
