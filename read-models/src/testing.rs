//! The harness of this crate's tests: given events, then these rows. It calls a fold as a worker does.

use std::collections::BTreeMap;

use tidemark_events::Event;
use tidemark_events::samples::recorded;
use uuid::Uuid;

use crate::ReadModel;

/// The rows after these events, which are the first of the log.
pub(crate) fn given<M: ReadModel>(
    events: impl IntoIterator<Item = impl Into<Event>>,
) -> BTreeMap<Uuid, M::Row> {
    let events = events.into_iter().map(Into::into);
    folded::<M>((1..).zip(events))
}

/// The rows after events of these positions, in the order in which they are given.
pub(crate) fn folded<M: ReadModel>(
    events: impl IntoIterator<Item = (i64, Event)>,
) -> BTreeMap<Uuid, M::Row> {
    let mut rows = BTreeMap::new();
    for (position, event) in events {
        let recorded = recorded(position, &event);
        let Some(input) = M::EVENTS.fold_input(&recorded).unwrap() else {
            continue;
        };
        for key in M::keys(&input) {
            let row = rows.remove(&key);
            rows.extend(M::fold(key, row, &input).map(|row| (key, row)));
        }
    }
    rows
}
