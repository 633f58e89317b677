//! The topics against the log.

use tidemark_events::Recorded;
use tidemark_tests::records::{Defects, Records};

/// Whether records may come again, more lenient last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Repeats {
    /// Every event has exactly one record.
    Forbidden,
    /// A relay that was paused may still publish records that its successor has published.
    Allowed,
}

/// The violations of [`super::RECORD_LOST_OR_ALTERED`] and of [`super::RECORD_REPEATED`].
pub(crate) fn violations(
    log: &[Recorded],
    records: &Records,
    repeats: Repeats,
) -> (Vec<String>, Vec<String>) {
    let found = Defects::of(log, records);
    let lost = [found.lost, found.differing].concat();
    match repeats {
        Repeats::Forbidden => (lost, found.repeated),
        Repeats::Allowed => (lost, Vec::new()),
    }
}
