//! How far the build of a generation is.

use serde::Serialize;
use serde_json::Value;
use tidemark_event_store::TimedPool;

/// How far the build of a generation is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct BuildProgress {
    pub(crate) generation: i32,
    /// `building`, `ready`, `serving`, `kept` or `dropped`.
    pub(crate) state: String,
    pub(crate) paused: bool,
    /// The position that all of its shards have reached.
    pub(crate) position: i64,
    /// The last position of the log.
    pub(crate) head: i64,
    /// Why a shard cannot go on, if one cannot.
    pub(crate) blocked: Option<String>,
    /// Whether a projector is running that can build it.
    pub(crate) can_run: bool,
    /// How many rows are parked in it and not in the one that serves. It does not serve as long as there are any.
    pub(crate) parked: i64,
    /// What the comparison with the serving generation found.
    pub(crate) comparison: Option<Value>,
}

impl BuildProgress {
    /// Whether a comparison found rows that are different.
    pub(crate) fn differs(&self) -> bool {
        self.has_found("different_rows")
    }

    /// Whether a comparison left rows undecided.
    pub(crate) fn is_undecided(&self) -> bool {
        self.has_found("undecided_rows")
    }

    /// How many rows it has, if a comparison found that all of them are the same.
    pub(crate) fn rows_that_are_the_same(&self) -> Option<i64> {
        let is_same = !self.differs() && !self.is_undecided();
        let comparison = self.comparison.as_ref().filter(|_| is_same)?;
        comparison["rows_built"].as_i64()
    }

    fn has_found(&self, rows: &str) -> bool {
        let comparison = self.comparison.as_ref();
        comparison.is_some_and(|comparison| comparison[rows] != 0)
    }
}

/// The version of the fold that makes the generation that serves.
///
/// # Errors
/// If Postgres fails.
pub(crate) async fn fold_that_serves(pool: &TimedPool, read_model: &str) -> sqlx::Result<i32> {
    let query = || {
        sqlx::query_scalar!(
            "select fold_version from generations where read_model = $1 and state = 'serving'",
            read_model,
        )
        .fetch_one(&**pool)
    };
    pool.read(query).await
}

/// How far the build of a generation is; `None` if there is no such generation.
///
/// # Errors
/// If Postgres fails.
pub(crate) async fn of_generation(
    pool: &TimedPool,
    read_model: &str,
    generation: i32,
) -> sqlx::Result<Option<BuildProgress>> {
    let query = || {
        sqlx::query_as!(
            BuildProgress,
            r#"
            select g.generation,
                   g.state,
                   g.paused,
                   coalesce(min(c.position), 0) as "position!",
                   h.position as "head!",
                   max(c.blocked) as blocked,
                   exists (
                       select
                         from leases p
                        where starts_with(p.name, 'projector:')
                          and p.expires_at > clock_timestamp()
                          and p.runs @> array[format('fold:%s:%s', $1::text, g.fold_version)]
                   ) as "can_run!",
                   parked_beyond_serving($1, $2) as "parked!",
                   g.comparison
              from generations g
             cross join log_head h
              left join checkpoints c
             using (read_model, generation)
             where read_model = $1
               and generation = $2
             group by g.generation, g.state, g.paused, g.fold_version, h.position, g.comparison
            "#,
            read_model,
            generation,
        )
        .fetch_optional(&**pool)
    };
    pool.read(query).await
}

/// The generation of a read model that is being built, paused or not.
///
/// # Errors
/// If Postgres fails.
pub(crate) async fn being_built(pool: &TimedPool, read_model: &str) -> sqlx::Result<Option<i32>> {
    let query = || {
        sqlx::query_scalar!(
            "select generation from generations where read_model = $1 and state in ('building', 'ready')",
            read_model,
        )
        .fetch_optional(&**pool)
    };
    pool.read(query).await
}

/// The generations that are kept, the one first that served last.
///
/// # Errors
/// If Postgres fails.
pub(crate) async fn kept(pool: &TimedPool, read_model: &str) -> sqlx::Result<Vec<i32>> {
    let query = || {
        sqlx::query_scalar!(
            r#"
            select generation
              from generations
             where read_model = $1
               and state = 'kept'
             order by state_since desc
            "#,
            read_model,
        )
        .fetch_all(&**pool)
    };
    pool.read(query).await
}
