//! The one list of aggregates' states, and how a stream gets its own. It holds no state and no rule.

use tidemark_events::{Aggregate as Kind, Event, Timestamp};

use crate::decision::{Aggregate, Kept, Loaded, State, StateOf};

impl Loaded {
    /// Takes the stream's next event in. The first one says of which aggregate the stream is.
    pub fn apply(&mut self, event: &Event, at: Timestamp) {
        let empty = || (of(event.aggregate()).empty)();
        self.state.get_or_insert_with(empty).evolve(event);
        self.version += 1;
        self.last_at = Some(at);
    }

    /// A stream of that aggregate as it was kept after its event number `version`; none if this build
    /// cannot go on from there.
    #[must_use]
    pub fn restore(kind: Kind, kept: &Kept, version: i64, last_at: Timestamp) -> Option<Self> {
        Some(Self {
            version,
            last_at: Some(last_at),
            state: Some((of(kind).restore)(kept)?),
        })
    }
}

/// How the states of an aggregate come to be.
struct Registered {
    /// That of a stream before its first event.
    empty: fn() -> Box<dyn State>,
    /// One that was kept.
    restore: fn(&Kept) -> Option<Box<dyn State>>,
}

/// What is known of that aggregate.
const fn of(aggregate: Kind) -> Registered {
    match aggregate {
        Kind::User => registered::<crate::identity::user::User>(),
        Kind::Credential => registered::<crate::identity::credential::Credential>(),
        Kind::Session => registered::<crate::identity::session::Session>(),
        Kind::Category => registered::<crate::market::category::Category>(),
        Kind::Product => registered::<crate::market::product::Product>(),
        Kind::Auction => registered::<crate::market::auction::Auction>(),
        Kind::Reserve => registered::<crate::market::reserve::Reserve>(),
        Kind::Reading => registered::<crate::audit::reading::Reading>(),
    }
}

const fn registered<A: Aggregate>() -> Registered {
    Registered {
        empty: || Box::new(StateOf(A::default())),
        restore: Kept::restore::<A>,
    }
}
