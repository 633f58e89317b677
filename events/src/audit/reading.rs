//! Facts about who read history: the audit trail of the audit trail.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Timestamp, UserId};

id! {
    /// One page of history that an auditor read.
    ReadingId
}

/// What an auditor asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Scope {
    /// The events of one stream.
    Stream {
        /// Which.
        stream_id: Uuid,
        /// Versions above this one.
        after_version: i64,
    },
    /// The state of an auction as of a version or a moment.
    State {
        /// Whose.
        stream_id: Uuid,
        /// As of this version.
        version: Option<i64>,
        /// As of this moment.
        at: Option<Timestamp>,
    },
    /// The log, filtered.
    Log {
        /// Positions above this one.
        after_position: i64,
        /// Only this type.
        event_type: Option<String>,
        /// Only this aggregate.
        aggregate: Option<String>,
        /// Only what this actor caused.
        actor: Option<String>,
        /// Recorded from this moment on.
        from: Option<Timestamp>,
        /// Recorded before this moment.
        until: Option<Timestamp>,
    },
}

events! {
    /// Facts about a reading.
    pub enum Event {
        /// An auditor was shown a page of history.
        #[serde(rename = "reading.recorded")]
        Recorded {
            /// The reading.
            reading_id: ReadingId,
            /// Who read.
            reader_id: UserId,
            /// What.
            scope: Scope,
        },
    }
}

/// One example of each event.
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
