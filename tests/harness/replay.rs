//! The rows that a replay of the log from zero makes, to be compared with those that are stored.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{AssertSqlSafe, PgPool};
use tidemark_events::Recorded;
use tidemark_read_models::ReadModel;
use tidemark_read_models::storage::document;
use uuid::Uuid;

/// The documents of a read model by id, each with the position of the last event that changed it.
pub type Rows = BTreeMap<Uuid, (i64, String)>;

/// The rows that the fold makes of the log, from its first event on.
#[must_use]
pub fn replay<'a, M: ReadModel>(events: impl IntoIterator<Item = &'a Recorded>) -> Rows {
    let mut rows = BTreeMap::new();
    for recorded in events {
        let Some(input) = M::EVENTS.fold_input(recorded).unwrap() else {
            continue;
        };
        for key in M::keys(&input) {
            let row = rows.remove(&key).map(|(_, row)| row);
            let row = M::fold(key, row, &input);
            rows.extend(row.map(|row| (key, (recorded.position, row))));
        }
    }
    let text = |row| document(row).unwrap();
    rows.iter()
        .map(|(key, (position, row))| (*key, (*position, text(row))))
        .collect()
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
