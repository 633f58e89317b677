//! Given events, then rows: a fold driven as a worker would, from the first version on.

use std::collections::BTreeMap;

use tidemark_events::Event;
use tidemark_events::samples::recorded;
use uuid::Uuid;

use crate::ReadModel;

/// The rows after these events.
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
