//! The topics against the log.

use tidemark_events::Recorded;
use tidemark_tests::records::{Faults, Records};

use crate::faults::Topics;

/// I6: positions that are in no topic, or whose records are not what was stored or not linked to
/// what they continue. I7: records that come again. What a round's faults did to the topics
/// themselves is not counted.
pub(crate) fn faults(
    log: &[Recorded],
    records: &Records,
    topics: Topics,
) -> (Vec<String>, Vec<String>) {
    let faults = Faults::of(log, records);
    let lost = [faults.lost, faults.differing].concat();
    match topics {
        Topics::Exact => (lost, faults.repeated),
        Topics::Repeated => (lost, Vec::new()),
    }
}
