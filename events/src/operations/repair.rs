//! Events of repairs, which record what an operator did about a row that is parked or wrong.

use super::rebuild::{ReadModelName, Reason};
use crate::Stored;

id! {
    /// The id of a repair.
    RepairId
}

id! {
    /// The id of a row of a read model.
    RowId
}

events! {
    /// The events of a repair.
    pub enum Event {
        /// An operator had it tried to make a parked row again.
        #[serde(rename = "repair.retry_requested")]
        RetryRequested {
            /// The id of this record.
            repair_id: RepairId,
            /// The read model of the row.
            read_model: Stored<ReadModelName>,
            /// The id of the parked row.
            row_id: RowId,
            /// The position of the first event that the row lacks.
            position: i64,
            /// Why the operator wants it.
            reason: Stored<Reason>,
        },
        /// An operator let a parked row go on without the first event that it lacks.
        #[serde(rename = "repair.skip_requested")]
        SkipRequested {
            /// The id of this record.
            repair_id: RepairId,
            /// The read model of the row.
            read_model: Stored<ReadModelName>,
            /// The id of the parked row.
            row_id: RowId,
            /// The position of the event that the row goes on without.
            position: i64,
            /// Why the operator wants it.
            reason: Stored<Reason>,
        },
        /// An operator had a row made anew from all of its events. Projectors do that when they come to this event.
        #[serde(rename = "repair.rebuild_requested")]
        RebuildRequested {
            /// The id of this record.
            repair_id: RepairId,
            /// The read model of the row.
            read_model: Stored<ReadModelName>,
            /// The id of the row.
            row_id: RowId,
            /// Why the operator wants it.
            reason: Stored<Reason>,
        },
    }
}

/// A sample of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::samples::{AUCTION, REPAIR, stored};

    vec![
        Event::RetryRequested {
            repair_id: REPAIR,
            read_model: stored("auction"),
            row_id: RowId(AUCTION.0),
            position: 42,
            reason: stored("It was a test."),
        },
        Event::SkipRequested {
            repair_id: REPAIR,
            read_model: stored("auction"),
            row_id: RowId(AUCTION.0),
            position: 42,
            reason: stored("It was a test."),
        },
        Event::RebuildRequested {
            repair_id: REPAIR,
            read_model: stored("auction"),
            row_id: RowId(AUCTION.0),
            reason: stored("It was a test."),
        },
    ]
}
