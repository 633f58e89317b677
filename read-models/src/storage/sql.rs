//! The SQL statements on a read model's table. The name of the table is part of them, so they cannot be
//! checked against the schema at compile time.

use std::sync::Arc;

/// The statements of one read model.
#[derive(Debug)]
pub(super) struct Sql {
    pub(super) rows: Arc<str>,
    pub(super) changed: Arc<str>,
    pub(super) upsert: Arc<str>,
    pub(super) remove: Arc<str>,
}

impl Sql {
    /// The statements for the table `{read_model}_rows`. Nothing can be injected: the name is a constant of
    /// this crate.
    pub(super) fn new(read_model: &'static str) -> Self {
        // This looks the ids up one by one. If the statement compared with all ids at once, Postgres might
        // read the whole generation, by a plan that it made when there were few rows.
        let rows = format!(
            "select r.id, r.doc::text as doc, r.position
               from unnest($2::uuid[]) as wanted (id)
              cross join lateral (
                    select id, doc, position from {read_model}_rows
                     where generation = $1 and id = wanted.id
                     limit 1
              ) as r"
        );
        let changed = format!(
            "select id, doc::text as doc, position from {read_model}_rows
              where generation = $1 and (position, id) > ($2, $3)
                and shard_of(id, $5) = $6
              order by position, id limit $4"
        );
        let upsert = format!(
            "insert into {read_model}_rows (generation, id, doc, position)
             select $1, id, doc::json, position
               from unnest($2::uuid[], $3::text[], $4::bigint[]) as changed (id, doc, position)
             on conflict (generation, id) do update
                set doc = excluded.doc, position = excluded.position"
        );
        let remove =
            format!("delete from {read_model}_rows where generation = $1 and id = any ($2)");
        Self {
            rows: rows.into(),
            changed: changed.into(),
            upsert: upsert.into(),
            remove: remove.into(),
        }
    }
}
