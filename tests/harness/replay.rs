//! The rows that a replay of the log from zero makes, to be compared with those that are stored.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{AssertSqlSafe, PgPool};
use tidemark_events::operations::repair;
use tidemark_events::{Event, Recorded};
use tidemark_read_models::ReadModel;
use tidemark_read_models::storage::document;
use uuid::Uuid;

/// The documents of a read model by id, each with the position of the last event that changed it.
pub type Rows = BTreeMap<Uuid, (i64, String)>;

/// The rows that the fold makes of the log, from its first event on. An event that an operator had a row do without is left
/// out of that row, and the order is an event of the row.
#[must_use]
pub fn replay<'a, M: ReadModel>(events: impl IntoIterator<Item = &'a Recorded>) -> Rows {
    let events: Vec<_> = events.into_iter().collect();
    let skips: Vec<_> = events.iter().filter_map(|it| skip::<M>(it)).collect();
    let mut rows = BTreeMap::new();
    for recorded in events {
        let at = recorded.position;
        for (key, _, _) in skips.iter().filter(|(_, _, ordered_at)| *ordered_at == at) {
            if let Some((position, _)) = rows.get_mut(key) {
                *position = at;
            }
        }
        let input = match M::EVENTS.fold_input(recorded) {
            Err(_) if skips.iter().any(|(_, skipped, _)| *skipped == at) => None,
            input => input.unwrap(),
        };
        let Some(input) = input else { continue };
        for key in M::keys(&input) {
            if skips
                .iter()
                .any(|(id, skipped, _)| (*id, *skipped) == (key, at))
            {
                continue;
            }
            let row = rows.remove(&key).map(|(_, row)| row);
            let row = M::fold(key, row, &input);
            rows.extend(row.map(|row| (key, (at, row))));
        }
    }
    let text = |row| document(row).unwrap();
    rows.iter()
        .map(|(key, (position, row))| (*key, (*position, text(row))))
        .collect()
}

/// If the event is an operator's order that a row of the read model does without an event: the row, that event, and the
/// position of the order.
fn skip<M: ReadModel>(event: &Recorded) -> Option<(Uuid, i64, i64)> {
    if event.event_type != "repair.skip_requested" {
        return None;
    }
    let Event::Repair(repair::Event::SkipRequested {
        read_model,
        row_id,
        position,
        ..
    }) = event.decode().unwrap()
    else {
        return None;
    };
    (**read_model == *M::NAME).then_some((row_id.0, position, event.position))
}

/// The rows of the generation that serves.
pub async fn rows<M: ReadModel>(pool: &PgPool) -> Rows {
    let select = format!(
        "select id, position, doc::text
           from {}_rows
          where generation = (select generation
                                from generations
                               where read_model = $1
                                 and state = 'serving')",
        M::NAME
    );
    let rows: Vec<(Uuid, i64, String)> = sqlx::query_as(AssertSqlSafe(select))
        .bind(M::NAME)
        .fetch_all(pool)
        .await
        .unwrap();
    let row = |(id, position, doc)| (id, (position, doc));
    rows.into_iter().map(row).collect()
}

/// The rows of a read model that differ from the expected ones, one line each.
#[must_use]
pub fn differences<M: ReadModel>(expected: &Rows, found: &Rows) -> Vec<String> {
    let ids: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    let differ = |id: &&Uuid| expected.get(*id) != found.get(*id);
    ids.into_iter()
        .filter(differ)
        .map(|id| format!("{} {:?} for {:?}", M::NAME, found.get(id), expected.get(id)))
        .collect()
}
