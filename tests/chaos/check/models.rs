//! What is derived from the log, against a replay from zero.

use std::collections::BTreeMap;

use super::Evidence;

/// The read model that has a row for each event, and so tells what was applied.
pub(crate) const EACH_EVENT: &str = "history";

/// I8: events that were applied never, or more than once, by a fold that keeps a row of each.
pub(crate) fn applied(evidence: &Evidence) -> Vec<String> {
    let models = evidence.models.iter();
    let mut found = Vec::new();
    for model in models.filter(|model| model.name == EACH_EVENT) {
        let mut times: BTreeMap<i64, u32> = BTreeMap::new();
        for (position, _) in model.rows.values() {
            *times.entry(*position).or_default() += 1;
        }
        let positions = evidence.log.iter().map(|event| event.position);
        let wrong = positions.filter(|position| times.get(position) != Some(&1));
        found.extend(wrong.map(|position| {
            let times = times.get(&position).copied().unwrap_or(0);
            format!("position {position} was applied {times} times")
        }));
    }
    found
}

/// I9: rows that are not, byte for byte, what a replay from zero makes of them, and documents that are
/// not their rows.
pub(crate) fn unlike(evidence: &Evidence) -> Vec<String> {
    let mut found = Vec::new();
    for model in &evidence.models {
        found.extend(model.unlike.iter().cloned());
        let Some(documents) = &model.documents else {
            continue;
        };
        let ids = model.replayed.keys().chain(documents.keys());
        let differ = ids.filter(|id| model.replayed.get(id) != documents.get(id));
        found.extend(differ.map(|id| format!("document {id} of {}", model.name)));
    }
    found
}

/// I10: what is behind the log though nothing happens any more, and what claims to be ahead of it.
pub(crate) fn checkpoints(evidence: &Evidence) -> Vec<String> {
    let head = evidence.log.len().try_into().unwrap();
    let behind = evidence.behind.iter();
    let behind = behind.map(|what| format!("{what} does not follow the log to its end"));
    let unlike = evidence.checkpoints.iter();
    let unlike = unlike.filter(|checkpoint| checkpoint.position > head);
    behind
        .chain(unlike.map(|checkpoint| format!("{checkpoint:?} is ahead of the log")))
        .collect()
}
