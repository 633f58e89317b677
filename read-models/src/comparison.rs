//! Comparing two generations of a read model row by row, while both are being kept up to date.
//!
//! A **look** is one statement, which sees the rows and the checkpoints of both generations at one moment. At that
//! moment one of them may have applied events that the other has not. So a row that differs only counts if it is
//! seen to differ in the same way again once both have applied everything that either had applied at the first look:
//! then both have seen the same events, and have made different rows of them. A row that is parked lacks events in one
//! generation whatever its shard has applied, so it is undecided for as long as it differs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{AssertSqlSafe, FromRow, PgPool};
use uuid::Uuid;

use crate::storage::answered;

/// What is compared, and with how much patience.
#[derive(Clone, Copy, Debug)]
pub struct Comparison<'a> {
    /// The name of the read model.
    pub read_model: &'a str,
    /// The generation that serves.
    pub serving: i32,
    /// The generation that is compared with it.
    pub built: i32,
    /// The most rows that one look compares.
    pub page_rows: i64,
    /// How often rows that differ are looked at again at most, and the pause before that.
    pub looks_max: u32,
    /// The pause before rows are looked at again.
    pub pause: Duration,
    /// The most rows of which the differences are listed.
    pub listed_max: u32,
    /// When a statement is given up. It must be longer than Postgres lets it run.
    pub response_timeout: Duration,
}

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// How many rows the serving generation has.
    pub rows_serving: i64,
    /// How many rows the other generation has.
    pub rows_built: i64,
    /// How many rows are different.
    pub different_rows: u32,
    /// How many rows are parked, or changed at every look, so that they could not be compared.
    pub undecided_rows: u32,
    /// The first of the rows that are different.
    pub differences: Vec<Difference>,
    /// The first of the rows that could not be compared.
    #[serde(default)]
    pub undecided: Vec<Undecided>,
}

/// A row that could not be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undecided {
    /// The id of the row.
    pub id: Uuid,
    /// Why it could not be compared.
    pub because: Obstacle,
}

/// Why a row could not be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Obstacle {
    /// It is parked in one of the generations, so it lacks events there.
    Parked,
    /// It changed at every look, or one of the generations did not apply what the other had.
    Changing,
}

/// A row that is not the same in both generations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The id of the row.
    pub id: Uuid,
    /// The fields that differ, each as it is in the serving generation and in the other one. A field that is not
    /// there is null.
    pub fields: BTreeMap<String, (Value, Value)>,
    /// The columns that differ, by which rows are searched and sorted, likewise.
    #[serde(default)]
    pub columns: BTreeMap<String, (Value, Value)>,
}

/// A look at a page of rows.
#[derive(Debug, FromRow)]
struct Page {
    /// The last id of the page; `None` if no rows follow.
    up_to: Option<Uuid>,
    rows_serving: i64,
    rows_built: i64,
    /// The ids of the rows that differ.
    differing: Vec<Uuid>,
}

/// A look at a row in both generations, and how far the shards of both had applied the log at that moment.
#[derive(Clone, Debug, FromRow)]
struct Look {
    id: Uuid,
    serving: Option<String>,
    serving_columns: String,
    serving_position: Option<i64>,
    built: Option<String>,
    built_columns: String,
    built_position: Option<i64>,
    is_parked: bool,
    lowest: i64,
    highest: i64,
}

impl Compared {
    /// Whether the rows are the same in both generations.
    #[must_use]
    pub const fn is_equal(&self) -> bool {
        self.different_rows == 0 && self.undecided_rows == 0
    }

    /// Whether no row is known to differ, but some could not be compared.
    #[must_use]
    pub const fn is_undecided(&self) -> bool {
        self.different_rows == 0 && self.undecided_rows > 0
    }
}

impl Comparison<'_> {
    /// Compares all rows.
    ///
    /// # Errors
    /// If Postgres fails.
    pub async fn run(&self, pool: &PgPool) -> sqlx::Result<Compared> {
        let columns = self.columns(pool).await?;
        let mut compared = Compared::default();
        let mut after = None;
        loop {
            let page = self.page(pool, &columns, after).await?;
            compared.rows_serving += page.rows_serving;
            compared.rows_built += page.rows_built;
            self.decide(pool, &columns, page.differing, &mut compared)
                .await?;
            if page.up_to.is_none() {
                return Ok(compared);
            }
            after = page.up_to;
        }
    }

    /// Looks at rows that differed until it is known of each whether it still does.
    async fn decide(
        &self,
        pool: &PgPool,
        columns: &[String],
        mut differing: Vec<Uuid>,
        compared: &mut Compared,
    ) -> sqlx::Result<()> {
        let mut first_looks: HashMap<Uuid, Look> = HashMap::new();
        for _ in 0..self.looks_max {
            if differing.is_empty() {
                return Ok(());
            }
            let mut undecided = Vec::new();
            for look in self.looks(pool, columns, &differing).await? {
                if look.is_equal() {
                    continue;
                }
                match first_looks.get(&look.id) {
                    _ if look.is_parked => {
                        undecided.push(look.id);
                        first_looks.insert(look.id, look);
                    }
                    Some(first) if first.is_confirmed_by(&look) => compared.add(&look, self),
                    // Both have not yet applied what one of them had applied at the first look.
                    Some(first) if first.shows_the_same(&look) => undecided.push(look.id),
                    _ => {
                        undecided.push(look.id);
                        first_looks.insert(look.id, look);
                    }
                }
            }
            differing = undecided;
            tokio::time::sleep(self.pause).await;
        }
        for id in differing {
            let is_parked = first_looks.get(&id).is_some_and(|look| look.is_parked);
            compared.leave_undecided(id, is_parked, self);
        }
        Ok(())
    }

    /// The names of the columns that are compared beside the document.
    async fn columns(&self, pool: &PgPool) -> sqlx::Result<Vec<String>> {
        let columns = sqlx::query_scalar!(
            r#"
            select attname::text as "name!"
              from pg_attribute
             where attrelid = to_regclass($1)
               and attnum > 0
               and not attisdropped
               and attname <> all ('{generation, id, doc, position}')
             order by attnum
            "#,
            format!("{}_rows", self.read_model),
        );
        answered(self.response_timeout, columns.fetch_all(pool)).await
    }

    /// Looks at the rows whose ids follow.
    async fn page(
        &self,
        pool: &PgPool,
        columns: &[String],
        after: Option<Uuid>,
    ) -> sqlx::Result<Page> {
        let table = format!("{}_rows", self.read_model);
        let same = |column| format!(r#" and s."{column}" is not distinct from b."{column}""#);
        let same: String = columns.iter().map(same).collect();
        let last = format!("'{}'::uuid", Uuid::max());
        let sql = format!(
            "with page as materialized (
                 select id from {table}
                  where generation = $1 and id > $3
                  order by id
                  limit $4
             ), bound as materialized (
                 select case when count(*) = $4
                             then (select id from page order by id desc limit 1) end as up_to
                   from page
             ), pairs as (
                 select coalesce(s.id, b.id) as id,
                        s.id is not null as is_serving,
                        b.id is not null as is_built,
                        s.position is not distinct from b.position
                            and s.doc::text is not distinct from b.doc::text{same} as is_equal
                   from (select * from {table}
                          where generation = $1 and id > $3 and id <= coalesce((select up_to from bound), {last})) s
                   full join
                        (select * from {table}
                          where generation = $2 and id > $3 and id <= coalesce((select up_to from bound), {last})) b
                     on s.id = b.id
             )
             select (select up_to from bound) as up_to,
                    count(*) filter (where is_serving) as rows_serving,
                    count(*) filter (where is_built) as rows_built,
                    coalesce(array_agg(id) filter (where not is_equal), '{{}}') as differing
               from pairs"
        );
        let page = sqlx::query_as(AssertSqlSafe(sql))
            .bind(self.serving)
            .bind(self.built)
            .bind(after.unwrap_or_default())
            .bind(self.page_rows)
            .fetch_one(pool);
        answered(self.response_timeout, page).await
    }

    /// Looks at rows with these ids.
    async fn looks(
        &self,
        pool: &PgPool,
        columns: &[String],
        ids: &[Uuid],
    ) -> sqlx::Result<Vec<Look>> {
        let table = format!("{}_rows", self.read_model);
        let columns_of = |side: &str| {
            let pairs = columns.iter();
            let pairs = pairs.map(|column| format!(r#"'{column}', {side}."{column}""#));
            format!(
                "jsonb_build_object({})::text",
                pairs.collect::<Vec<_>>().join(", ")
            )
        };
        let sql = format!(
            "select wanted.id,
                    s.doc::text as serving,
                    {} as serving_columns,
                    s.position as serving_position,
                    b.doc::text as built,
                    {} as built_columns,
                    b.position as built_position,
                    exists (
                        select
                          from parked
                         where parked.read_model = $4
                           and parked.generation in ($1, $2)
                           and parked.id = wanted.id
                    ) as is_parked,
                    applied.lowest,
                    applied.highest
               from unnest($3::uuid[]) as wanted (id)
               left join {table} s on s.generation = $1 and s.id = wanted.id
               left join {table} b on b.generation = $2 and b.id = wanted.id
              cross join (
                    select min(position) as lowest, max(position) as highest
                      from checkpoints
                     where read_model = $4 and generation in ($1, $2)
              ) applied",
            columns_of("s"),
            columns_of("b"),
        );
        let looks = sqlx::query_as(AssertSqlSafe(sql))
            .bind(self.serving)
            .bind(self.built)
            .bind(ids)
            .bind(self.read_model)
            .fetch_all(pool);
        answered(self.response_timeout, looks).await
    }
}

impl Look {
    fn is_equal(&self) -> bool {
        self.serving == self.built
            && self.serving_columns == self.built_columns
            && self.serving_position == self.built_position
    }

    fn shows_the_same(&self, later: &Self) -> bool {
        self.serving_position == later.serving_position
            && self.built_position == later.built_position
            && self.serving == later.serving
            && self.serving_columns == later.serving_columns
            && self.built == later.built
            && self.built_columns == later.built_columns
    }

    /// Whether the row is the same at a later look, at which both generations have applied all that either had.
    fn is_confirmed_by(&self, later: &Self) -> bool {
        self.shows_the_same(later) && later.lowest >= self.highest
    }

    fn difference(&self) -> Difference {
        let columns = (Some(&*self.serving_columns), Some(&*self.built_columns));
        Difference {
            id: self.id,
            fields: differing(self.serving.as_deref(), self.built.as_deref()),
            columns: differing(columns.0, columns.1),
        }
    }
}

impl Compared {
    fn add(&mut self, look: &Look, comparison: &Comparison<'_>) {
        self.different_rows += 1;
        if self.different_rows <= comparison.listed_max {
            self.differences.push(look.difference());
        }
    }

    fn leave_undecided(&mut self, id: Uuid, is_parked: bool, comparison: &Comparison<'_>) {
        self.undecided_rows += 1;
        if self.undecided_rows <= comparison.listed_max {
            let because = if is_parked {
                Obstacle::Parked
            } else {
                Obstacle::Changing
            };
            self.undecided.push(Undecided { id, because });
        }
    }
}

/// The fields that two objects do not have alike.
fn differing(serving: Option<&str>, built: Option<&str>) -> BTreeMap<String, (Value, Value)> {
    let (serving, built) = (fields(serving), fields(built));
    let names: BTreeSet<_> = serving.keys().chain(built.keys()).collect();
    let value = |of: &BTreeMap<String, Value>, name| of.get(name).cloned().unwrap_or_default();
    let pairs = names.into_iter().map(|name| {
        let pair = (value(&serving, name), value(&built, name));
        (name.clone(), pair)
    });
    pairs
        .filter(|(_, (serving, built))| serving != built)
        .collect()
}

/// The fields of an object; none if there is no row.
fn fields(object: Option<&str>) -> BTreeMap<String, Value> {
    let object = object.and_then(|text| serde_json::from_str(text).ok());
    object.unwrap_or_default()
}
