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
    let mut rows = BTreeMap::new();
    for (position, event) in (1..).zip(events) {
        let recorded = recorded(position, &event.into());
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
