//! Events of forks, which record that an operator had the log go on under a new timeline.

use super::rebuild::Reason;
use crate::Stored;

id! {
    /// The id of a fork.
    ForkId
}

events! {
    /// The events of a fork.
    pub enum Event {
        /// An operator had the log go on under a new timeline, which begins with this event.
        #[serde(rename = "fork.declared")]
        Declared {
            /// The fork.
            fork_id: ForkId,
            /// The last position that the new timeline shares with the one before; `None` if that is the position
            /// before this event.
            shared_up_to: Option<i64>,
            /// Why the operator declared it.
            reason: Stored<Reason>,
        },
    }
}

/// A sample of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::samples::{FORK, stored};

    vec![Event::Declared {
        fork_id: FORK,
        shared_up_to: Some(42),
        reason: stored("the backup of Monday was restored"),
    }]
}
