//! How far the relay has published the log, and who leads.

use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{BEHIND_S, Condition};

/// How far the relay is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RelayStatus {
    /// What the relay does.
    pub condition: Condition,
    /// The last position of the log.
    #[schema(minimum = 0, example = 4_711)]
    pub head: i64,
    /// The position up to which the log is published; null if no relay ever ran.
    #[schema(minimum = 0, example = 4_711)]
    pub position: Option<i64>,
    /// How many events the log has beyond that.
    #[schema(minimum = 0, example = 0)]
    pub lag: i64,
    /// The age of the first of these events, in seconds; null if there is none.
    #[schema(example = 0.2)]
    pub lag_s: Option<f64>,
    /// The number of the present term.
    #[schema(minimum = 0, example = 7)]
    pub epoch: i64,
    /// The id of the process that leads; null if none does.
    pub holder: Option<Uuid>,
}

/// How far the relay is.
///
/// # Errors
/// If Postgres fails.
pub async fn get(pool: &PgPool) -> sqlx::Result<RelayStatus> {
    sqlx::query_as!(
        RelayStatus,
        r#"
        select case when l.holder is null then 'not_running'
                    when behind.lag = 0 then 'idle'
                    when behind.lag_s > $1 then 'behind'
                    else 'following'
               end as "condition!: Condition",
               h.position as head,
               case when r.epoch > 0 then r.position end as position,
               behind.lag as "lag!",
               behind.lag_s,
               r.epoch,
               l.holder as "holder?"
          from relay_progress r
         cross join log_head h
          left join leases l
            on l.name = 'relay'
           and l.expires_at > clock_timestamp()
         cross join lateral (
               select greatest(h.position - r.position, 0) as lag,
                      (select extract(epoch from clock_timestamp() - e.recorded_at)::float8
                         from events e
                        where e.position = r.position + 1) as lag_s
               ) behind
        "#,
        BEHIND_S,
    )
    .fetch_one(pool)
    .await
}
