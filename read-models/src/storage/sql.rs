//! The SQL statements on a read model's table. The name of the table is part of them, so they cannot be
//! checked against the schema at compile time.

use std::sync::{Arc, OnceLock};

use crate::{Column, ReadModel, Search};

/// The statements of one read model.
#[derive(Debug)]
pub(super) struct Sql {
    pub(super) rows: Arc<str>,
    pub(super) changed: Arc<str>,
    pub(super) remove: Arc<str>,
    upsert: OnceLock<Arc<str>>,
    read_model: &'static str,
    search: Option<Search>,
}

impl Sql {
    /// The statements for the table `{read_model}_rows`. Nothing can be injected: the names are constants of
    /// this crate.
    pub(super) fn new<M: ReadModel>() -> Self {
        let read_model = M::NAME;
        // This looks the ids up one by one. If the statement compared with all ids at once, Postgres might
        // read the whole generation, by a plan that it made when there were few rows.
        let rows = format!(
            "select wanted.id, r.doc::text as doc, coalesce(r.position, 0) as position
               from unnest($2::uuid[]) as wanted (id)
               left join lateral (
                    select doc, position from {read_model}_rows
                     where generation = $1 and id = wanted.id
                     limit 1
              ) as r on true"
        );
        let changed = format!(
            "select id, doc, position
               from (
                    select *,
                           sum(octet_length(doc)) over (
                               order by position, id
                               rows between unbounded preceding and 1 preceding
                           ) as before
                      from (
                           select id, doc::text as doc, position from {read_model}_rows
                            where generation = $1 and (position, id) > ($2, $3)
                              and shard_of(id, $5) = $6
                            order by position, id limit $4
                      ) as page
               ) as measured
              where before is null or before < $7
              order by position, id"
        );
        let remove = format!(
            "delete from {read_model}_rows r
              using unnest($1::integer[], $2::uuid[]) as removed (generation, id)
              where r.generation = removed.generation and r.id = removed.id"
        );
        Self {
            rows: rows.into(),
            changed: changed.into(),
            remove: remove.into(),
            upsert: OnceLock::new(),
            read_model,
            search: M::SEARCH,
        }
    }

    /// Writes rows with these columns, which are the same ones for all rows of a read model. Its parameters are the values of
    /// all rows in arrays: generations, ids, documents, positions, and each of the columns.
    pub(super) fn upsert(&self, columns: &[Column]) -> Arc<str> {
        let made = || self.make_upsert(columns).into();
        Arc::clone(self.upsert.get_or_init(made))
    }

    fn make_upsert(&self, columns: &[Column]) -> String {
        let mut names = vec!["doc", "position"];
        let mut values = vec!["doc::json", "position"];
        names.extend(columns.iter().map(|column| column.name));
        values.extend(columns.iter().map(|column| column.name));
        let arrays = columns.iter().zip(5..);
        let arrays = arrays.map(|(column, n)| format!(", ${n}::{}", column.value.array_type()));
        let arrays: String = arrays.collect();
        let changed = format!(
            "with changed as (
                 select *
                   from unnest($1::integer[], $2::uuid[], $3::text[], $4::bigint[]{arrays})
                     as changed (generation, id, {})
             )",
            names.join(", "),
        );
        let table = format!("{}_rows", self.read_model);
        let Some(search) = self.search.filter(|_| !columns.is_empty()) else {
            return format!("{changed} {}", insert(&table, &names, &values, ""));
        };
        let assignments = names
            .iter()
            .zip(&values)
            .map(|(name, value)| format!("{name} = changed.{value}"));
        let (before, after) = (qualified("r", search.of), qualified("changed", search.of));
        let updated = format!(
            "updated as (
                 update {table} r
                    set {}
                   from changed
                  where r.generation = changed.generation
                    and r.id = changed.id
                    and ({before}) is not distinct from ({after})
                 returning r.generation, r.id
             )",
            assignments.collect::<Vec<_>>().join(", ")
        );
        let made = format!("{}({})", search.function, search.of.join(", "));
        names.push("search");
        values.push(&made);
        let others = "where not exists (
                select
                  from updated
                 where updated.generation = changed.generation
                   and updated.id = changed.id
             )";
        format!(
            "{changed}, {updated} {}",
            insert(&table, &names, &values, others)
        )
    }
}

fn insert(table: &str, names: &[&str], values: &[&str], which: &str) -> String {
    let assignments = names.iter().map(|name| format!("{name} = excluded.{name}"));
    format!(
        "insert into {table} (generation, id, {})
         select generation, id, {}
           from changed
          {which}
         on conflict (generation, id) do update
            set {}",
        names.join(", "),
        values.join(", "),
        assignments.collect::<Vec<_>>().join(", ")
    )
}

fn qualified(table: &str, columns: &[&str]) -> String {
    let columns = columns.iter().map(|column| format!("{table}.{column}"));
    columns.collect::<Vec<_>>().join(", ")
}
