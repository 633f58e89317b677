//! Read models, documents and checkpoints against a replay of the log.

use std::collections::BTreeMap;

use super::Observed;

/// The read model that has a row for each event, and so shows what was applied.
pub(crate) const ROW_PER_EVENT: &str = "history";

/// [`super::EVENT_NOT_APPLIED_ONCE`]: events for which [`ROW_PER_EVENT`] has no row, or several.
pub(crate) fn not_applied_once(observed: &Observed) -> Vec<String> {
    let models = observed.read_models.iter();
    let mut violations = Vec::new();
    for model in models.filter(|model| model.name == ROW_PER_EVENT) {
        let mut times: BTreeMap<i64, u32> = BTreeMap::new();
        for (position, _) in model.rows.values() {
            *times.entry(*position).or_default() += 1;
        }
        let positions = observed.log.iter().map(|event| event.position);
        let wrong = positions.filter(|position| times.get(position) != Some(&1));
        violations.extend(wrong.map(|position| {
            let times = times.get(&position).copied().unwrap_or(0);
            format!("position {position} was applied {times} times")
        }));
    }
    violations
}

/// [`super::DIFFERS_FROM_REPLAY`]: rows that are not, byte for byte, what a replay from the first
/// event makes of them, and documents that are not their rows.
pub(crate) fn unlike_replay(observed: &Observed) -> Vec<String> {
    let mut violations = Vec::new();
    for model in &observed.read_models {
        violations.extend(model.unlike_replay.iter().cloned());
        let Some(documents) = &model.documents else {
            continue;
        };
        let ids = model.replayed.keys().chain(documents.keys());
        let differing = ids.filter(|id| model.replayed.get(id) != documents.get(id));
        violations.extend(differing.map(|id| {
            let name = model.name;
            format!("document {id} of {name} in Redis is not what a replay makes of it")
        }));
    }
    violations
}

/// [`super::CHECKPOINT_WRONG`]: what is behind the log although nothing happens any more, and
/// checkpoints ahead of the log.
pub(crate) fn wrong_checkpoints(observed: &Observed) -> Vec<String> {
    let head = observed.log.len().try_into().unwrap();
    let behind = observed.behind.iter();
    let behind = behind.map(|what| format!("{what} does not reach the end of the log ({head})"));
    let ahead = observed.checkpoints.iter();
    let ahead = ahead.filter(|checkpoint| checkpoint.position > head);
    behind
        .chain(ahead.map(|checkpoint| {
            let (owner, position) = (&checkpoint.owner, checkpoint.position);
            format!("{owner} is at {position}, the log ends at {head}")
        }))
        .collect()
}
