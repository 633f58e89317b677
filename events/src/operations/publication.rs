//! Events of publications, which record that an operator told the relay how to go on publishing the log.

use super::rebuild::Reason;
use crate::Stored;

id! {
    /// The id of a publication.
    PublicationId
}

events! {
    /// The events of a publication.
    pub enum Event {
        /// An operator had the topics keep what they hold, also what this log does not hold, and the log published
        /// behind it.
        #[serde(rename = "publication.adopted")]
        Adopted {
            /// The publication.
            publication_id: PublicationId,
            /// Why the operator ordered it.
            reason: Stored<Reason>,
        },
        /// An operator had the log published again, behind what the topics hold.
        #[serde(rename = "publication.repeated")]
        Repeated {
            /// The publication.
            publication_id: PublicationId,
            /// The position of the first event that is published again.
            from_position: i64,
            /// Why the operator ordered it.
            reason: Stored<Reason>,
        },
    }
}

/// A sample of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::samples::{PUBLICATION, stored};

    vec![
        Event::Adopted {
            publication_id: PUBLICATION,
            reason: stored("the backup of Monday was restored"),
        },
        Event::Repeated {
            publication_id: PUBLICATION,
            from_position: 42,
            reason: stored("a topic had lost records"),
        },
    ]
}
