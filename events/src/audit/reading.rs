//! Events of readings, which record who read history: they are the audit trail of the audit trail.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Line, Moment, Stored, UserId};

id! {
    /// The id of a reading: one page of history that an auditor was shown.
    ReadingId
}

/// What an auditor names in a filter: a type, an aggregate or an actor.
pub type Name = Line<100>;

event_field! {
    /// What an auditor asked for.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(tag = "kind", rename_all = "snake_case")]
    pub enum Scope {
        /// The auditor asked for the events of one stream.
        Stream {
            /// The stream whose events were shown.
            stream_id: Uuid,
            /// The version after which the page starts.
            after_version: i64,
        },
        /// The auditor asked for the state of an auction at a version or a time.
        State {
            /// The stream of the auction.
            stream_id: Uuid,
            /// The last version that the state includes. None if there is no such limit.
            version: Option<i64>,
            /// The time after which events are not included. None if there is no such limit.
            at: Option<Stored<Moment>>,
        },
        /// The auditor asked for the events of the log that match filters. None means no filter.
        Log {
            /// The position after which the page starts.
            after_position: i64,
            /// The stored type of the events, such as `auction.opened`.
            event_type: Option<Stored<Name>>,
            /// The aggregate of the events, such as `auction`.
            aggregate: Option<Stored<Name>>,
            /// The actor who caused the events, such as `service:auction-timer`.
            actor: Option<Stored<Name>>,
            /// The time at or after which the events were recorded.
            from: Option<Stored<Moment>>,
            /// The time before which the events were recorded.
            until: Option<Stored<Moment>>,
        },
    }
}

events! {
    /// The events of a reading.
    pub enum Event {
        /// An auditor is about to be shown a page of history.
        #[serde(rename = "reading.recorded")]
        Recorded {
            /// The reading.
            reading_id: ReadingId,
            /// The auditor.
            reader_id: UserId,
            /// What the auditor asked for.
            scope: Scope,
        },
    }
}

/// A sample of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::samples::{AUCTION, BIDDER, READING};

    vec![Event::Recorded {
        reading_id: READING,
        reader_id: BIDDER,
        scope: Scope::Stream {
            stream_id: AUCTION.0,
            after_version: 0,
        },
    }]
}
