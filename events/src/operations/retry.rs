//! Events of retries, which record that an operator had a reactor try an action again, or never again.

use super::rebuild::Reason;
use crate::{Line, Stored};

id! {
    /// The id of a retry.
    RetryId
}

/// What names an action, or tells what came of it.
pub type Name = Line<100>;

events! {
    /// The events of a retry.
    pub enum Event {
        /// An operator had an action tried again that a refusal had ended.
        #[serde(rename = "retry.requested")]
        Requested {
            /// The retry.
            retry_id: RetryId,
            /// The reactor whose action it is.
            reactor: Stored<Name>,
            /// The position of the event that the action follows from.
            cause_position: i64,
            /// What tells the action from others that follow from that event.
            target: Stored<Name>,
            /// The refusal that had ended the action.
            refusal: Stored<Name>,
            /// Why the operator had it tried again. None in events of older builds, which did not ask.
            #[serde(default)]
            reason: Option<Stored<Reason>>,
        },
        /// An operator dropped an action, which is not tried again.
        #[serde(rename = "retry.dropped")]
        Dropped {
            /// The id of this record.
            retry_id: RetryId,
            /// The reactor whose action it is.
            reactor: Stored<Name>,
            /// The position of the event that the action follows from.
            cause_position: i64,
            /// What tells the action from others that follow from that event.
            target: Stored<Name>,
            /// Why the operator dropped it.
            reason: Stored<Reason>,
        },
    }
}

/// A sample of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::samples::{RETRY, stored};

    vec![
        Event::Requested {
            retry_id: RETRY,
            reactor: stored("auction-timer"),
            cause_position: 42,
            target: stored("close"),
            refusal: stored("409 auction_over"),
            reason: Some(stored("The command API refused in error.")),
        },
        Event::Dropped {
            retry_id: RETRY,
            reactor: stored("auction-timer"),
            cause_position: 42,
            target: stored("close"),
            reason: stored("The auction was closed by hand."),
        },
    ]
}
