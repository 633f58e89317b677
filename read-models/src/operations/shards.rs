//! How far the shards of all read models have applied the log, and who runs them.

use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{BEHIND_S, COUNTED_MAX, Condition};

/// How far a shard of a generation of a read model is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShardStatus {
    /// The name of the read model.
    #[schema(example = "auction")]
    pub name: String,
    /// The number of the generation.
    #[schema(minimum = 1, maximum = 2_147_483_647, example = 1)]
    pub generation: i32,
    /// The number of the shard, from 0 on.
    #[schema(minimum = 0, maximum = 254, example = 0)]
    pub shard: i32,
    /// Into how many shards the generation is divided; null until the first projector divides it.
    #[schema(minimum = 1, maximum = 255, example = 3)]
    pub shards: Option<i32>,
    /// The state of the generation. It is shown as it is stored, so that a state which only a newer build has breaks
    /// no answer of this one.
    #[schema(value_type = GenerationState)]
    pub state: String,
    /// The version of the fold that makes the rows.
    #[schema(minimum = 0, maximum = 2_147_483_647, example = 1)]
    pub fold_version: i32,
    /// What the shard does.
    pub condition: Condition,
    /// Whether an operator has paused the build of the generation.
    pub paused: bool,
    /// The position up to which it has applied the log.
    #[schema(minimum = 0, example = 4_711)]
    pub position: i64,
    /// How many events the log has beyond that.
    #[schema(minimum = 0, example = 42)]
    pub lag: i64,
    /// The age of the first of these events, in seconds; null if there is none.
    #[schema(example = 0.2)]
    pub lag_s: Option<f64>,
    /// How many events it applies in a second: of a build the mean since it began; null if that is not known.
    #[schema(example = 12_000.0)]
    pub rate: Option<f64>,
    /// The percentage of the log that a build has applied; null of what is not being built.
    #[schema(example = 99.1)]
    pub percent: Option<f64>,
    /// After how many seconds a build reaches the end of the log at that rate; null if that is not known.
    #[schema(example = 3.5)]
    pub eta_s: Option<f64>,
    /// Why it stands still; null if it does not.
    #[schema(
        example = "position 4712: `auction.opened` has schema version 2, this build knows up to 1"
    )]
    pub blocked: Option<String>,
    /// How many rows are parked. At most 10,000 are counted.
    #[schema(minimum = 0, example = 0)]
    pub parked: i64,
    /// The id of the projector that runs it; null if none does.
    pub holder: Option<Uuid>,
    /// Whether some running projector can run it, if one must.
    pub can_run: bool,
}

/// The states of a generation that is not dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum GenerationState {
    /// It follows the log to its end for the first time.
    Building,
    /// It may serve.
    Ready,
    /// Queries read it.
    Serving,
    /// It served before, and may serve again.
    Kept,
}

/// At most `limit` shards of all generations that are not dropped, in the order of read models, generations and shards,
/// after this one.
///
/// # Errors
/// If Postgres fails.
pub async fn list(
    pool: &PgPool,
    after: Option<(String, i32, i32)>,
    limit: i64,
) -> sqlx::Result<Vec<ShardStatus>> {
    let (read_model, generation, shard) = after.unwrap_or_default();
    sqlx::query_as!(
        ShardStatus,
        r#"
        select c.read_model as name,
               c.generation,
               c.shard,
               g.shards,
               g.state,
               g.fold_version,
               case when c.blocked is not null then 'blocked'
                    when g.paused then 'paused'
                    when l.holder is null then 'not_running'
                    when parked.count > 0 then 'parked'
                    when build.is_built then 'building'
                    when behind.lag = 0 then 'idle'
                    when behind.lag_s > $4 then 'behind'
                    else 'following'
               end as "condition!: Condition",
               g.paused,
               c.position,
               behind.lag as "lag!",
               behind.lag_s,
               build.rate,
               case when build.is_built and h.position > 0
                    then least(100.0 * c.position / h.position, 100)::float8
               end as percent,
               behind.lag / nullif(build.rate, 0) as eta_s,
               c.blocked,
               parked.count as "parked!",
               l.holder as "holder?",
               g.state = 'kept' or exists (
                   select
                     from leases p
                    where starts_with(p.name, 'projector:')
                      and p.expires_at > clock_timestamp()
                      and (p.runs @> array[format('fold:%s:%s', c.read_model, g.fold_version)]
                           or (p.runs is null and p.holder = l.holder))
               ) as "can_run!"
          from checkpoints c
          join generations g
         using (read_model, generation)
         cross join log_head h
          left join leases l
            on l.name = format('projection:%s:%s:%s', c.read_model, c.generation, c.shard)
           and l.expires_at > clock_timestamp()
         cross join lateral (
               select count(*) as count
                 from (select
                         from parked p
                        where p.read_model = c.read_model
                          and p.generation = c.generation
                          and p.shard = c.shard
                        limit $5) counted
               ) parked
         cross join lateral (
               select greatest(h.position - c.position, 0) as lag,
                      (select extract(epoch from clock_timestamp() - e.recorded_at)::float8
                         from events e
                        where e.position = c.position + 1) as lag_s
               ) behind
         cross join lateral (
               select g.state in ('building', 'ready') as is_built,
                      case when g.state in ('building', 'ready')
                           then c.position / extract(epoch from clock_timestamp() - g.state_since)::float8
                      end as rate
               ) build
         where g.state <> 'dropped'
           and (c.read_model, c.generation, c.shard) > ($1, $2, $3)
         order by c.read_model, c.generation, c.shard
         limit $6
        "#,
        read_model,
        generation,
        if read_model.is_empty() { -1 } else { shard },
        BEHIND_S,
        COUNTED_MAX,
        limit,
    )
    .fetch_all(pool)
    .await
}
