//! The one list of aggregates' states, and how a stream gets its own. It holds no state and no rule.

use tidemark_events::{Aggregate, Event, Timestamp};

use crate::decision::{AggregateState, AnyState, Loaded, StateOf, StateSnapshot};

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
    pub fn from_snapshot(
        aggregate: Aggregate,
        snapshot: &StateSnapshot,
        version: i64,
        last_at: Timestamp,
    ) -> Option<Self> {
        Some(Self {
            version,
            last_at: Some(last_at),
            state: Some((of(aggregate).restore)(snapshot)?),
        })
    }
}

/// How the states of an aggregate come to be.
struct Registered {
    /// That of a stream before its first event.
    empty: fn() -> Box<dyn AnyState>,
    /// One that was kept.
    restore: fn(&StateSnapshot) -> Option<Box<dyn AnyState>>,
}

/// What is known of that aggregate.
const fn of(aggregate: Aggregate) -> Registered {
    match aggregate {
        Aggregate::User => registered::<crate::identity::user::User>(),
        Aggregate::Credential => registered::<crate::identity::credential::Credential>(),
        Aggregate::Session => registered::<crate::identity::session::Session>(),
        Aggregate::Category => registered::<crate::market::category::Category>(),
        Aggregate::Product => registered::<crate::market::product::Product>(),
        Aggregate::Auction => registered::<crate::market::auction::Auction>(),
        Aggregate::Reserve => registered::<crate::market::reserve::Reserve>(),
        Aggregate::Reading => registered::<crate::audit::reading::Reading>(),
    }
}

const fn registered<A: AggregateState>() -> Registered {
    Registered {
        empty: || Box::new(StateOf(A::default())),
        restore: StateSnapshot::restore::<A>,
    }
}
