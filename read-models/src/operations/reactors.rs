//! How far all reactors have answered the log, who runs them, and the actions that follow.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{BEHIND_S, COUNTED_MAX, Condition};

/// How far a reactor is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReactorStatus {
    /// The name of the reactor.
    #[schema(example = "auction-timer")]
    pub name: String,
    /// What the reactor does.
    pub condition: Condition,
    /// The position up to which it has answered the log.
    #[schema(minimum = 0, example = 4_711)]
    pub position: i64,
    /// How many events the log has beyond that.
    #[schema(minimum = 0, example = 42)]
    pub lag: i64,
    /// The age of the first of these events, in seconds; null if there is none.
    #[schema(example = 0.2)]
    pub lag_s: Option<f64>,
    /// Why it stands still; null if it does not.
    #[schema(
        example = "position 4712: `auction.opened` has schema version 2, this build knows up to 1"
    )]
    pub blocked: Option<String>,
    /// The id of the projector that runs it; null if none does.
    pub holder: Option<Uuid>,
    /// Whether some running projector can run it.
    pub can_run: bool,
    /// How many actions have not ended. At most 10,000 are counted, those that are tried next.
    #[schema(minimum = 0, example = 120)]
    pub pending: i64,
    /// How many of them are due.
    #[schema(minimum = 0, example = 1)]
    pub due: i64,
    /// How many of those that are due were tried without success.
    #[schema(minimum = 0, example = 0)]
    pub failing: i64,
    /// When the next one is tried; null if none waits.
    pub next_due_at: Option<DateTime<Utc>>,
    /// How many actions were given up because their commands were refused for good, most of them rightly. At most 10,000 are
    /// counted.
    #[schema(minimum = 0, maximum = 10_000, example = 0)]
    pub refused: i64,
    /// How many events could not be answered, so that it is not known which actions follow from them. At most 10,000 are counted.
    #[schema(minimum = 0, maximum = 10_000, example = 0)]
    pub unanswered: i64,
}

/// At most `limit` reactors in the order of their names, after this one.
///
/// # Errors
/// If Postgres fails.
pub async fn list(
    pool: &PgPool,
    after: Option<String>,
    limit: i64,
) -> sqlx::Result<Vec<ReactorStatus>> {
    sqlx::query_as!(
        ReactorStatus,
        r#"
        select r.name,
               case when r.blocked is not null then 'blocked'
                    when l.holder is null then 'not_running'
                    when behind.lag = 0 then 'idle'
                    when behind.lag_s > $2 then 'behind'
                    else 'following'
               end as "condition!: Condition",
               r.position,
               behind.lag as "lag!",
               behind.lag_s,
               r.blocked,
               l.holder as "holder?",
               exists (
                   select
                     from leases p
                    where starts_with(p.name, 'projector:')
                      and p.expires_at > clock_timestamp()
                      and (p.runs @> array['reactor:' || r.name]
                           or (p.runs is null and p.holder = l.holder))
               ) as "can_run!",
               actions.pending as "pending!",
               actions.due as "due!",
               actions.failing as "failing!",
               actions.next_due_at,
               given_up.refused as "refused!",
               given_up.unanswered as "unanswered!"
          from reactors r
         cross join log_head h
          left join leases l
            on l.name = 'reactor:' || r.name
           and l.expires_at > clock_timestamp()
         cross join lateral (
               select greatest(h.position - r.position, 0) as lag,
                      (select extract(epoch from clock_timestamp() - e.recorded_at)::float8
                         from events e
                        where e.position = r.position + 1) as lag_s
               ) behind
         cross join lateral (
               select count(*) as pending,
                      count(*) filter (where due_at <= clock_timestamp()) as due,
                      count(*) filter (where attempts > 0 and due_at <= clock_timestamp() and outcome is distinct from 'not yet')
                          as failing,
                      min(next_attempt_at) as next_due_at
                 from (select due_at, attempts, next_attempt_at, outcome
                         from reactor_actions a
                        where a.reactor = r.name
                          and a.done_at is null
                        order by a.due_at
                        limit $3) counted
               ) actions
         cross join lateral given_up_actions(r.name, $3) given_up
         where r.name > $1
         order by r.name
         limit $4
        "#,
        after.unwrap_or_default(),
        BEHIND_S,
        COUNTED_MAX,
        limit,
    )
    .fetch_all(pool)
    .await
}
