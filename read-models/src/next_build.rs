//! The next build, as the test of rolling upgrades needs one (the fault `rolling-upgrade` of `./dev chaos`): it has
//! one more read model, and its fold of auctions writes titles in capital letters. The feature `next-build` makes it. Nothing that is deployed has that
//! feature, and nothing but that test knows of it: the test makes the table too.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{EventFilter, FoldInput, ReadModel, RowOf};

/// How long a stream is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The number of the stream's events.
    pub events: i64,
}

/// The read model that only the next build has. Its rows are the lengths of streams, each under the stream's id.
#[derive(Clone, Copy, Debug)]
pub struct StreamLength;

impl ReadModel for StreamLength {
    const NAME: &'static str = "stream_length";
    const FOLD_VERSION: i32 = 1;
    const EVENTS: EventFilter = EventFilter::AllHeaders;
    const ROW_OF: RowOf = RowOf::Stream;
    const IN_REDIS: bool = false;

    type Row = Row;

    fn keys(input: &FoldInput<'_>) -> Vec<Uuid> {
        vec![input.recorded.stream_id]
    }

    fn fold(_: Uuid, row: Option<Row>, _: &FoldInput<'_>) -> Option<Row> {
        let before = row.map_or(0, |row| row.events);
        Some(Row { events: before + 1 })
    }
}
