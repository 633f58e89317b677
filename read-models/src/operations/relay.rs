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
    /// Why the relay has stopped: log and topics contradict each other. Null if it has not.
    #[schema(example = "position 4711 was published, but the log ends at 4700")]
    pub alarm: Option<String>,
    /// Whether an operator wants something of the relay that it has not done yet.
    #[schema(example = false)]
    pub is_asked: bool,
    /// How far each partition is to which the log is published, by topic and number; none if no relay ever ran.
    pub partitions: Vec<PartitionStatus>,
}

/// How far one partition holds the events that belong into it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PartitionStatus {
    /// The topic of the partition.
    #[schema(example = "tidemark.auction")]
    pub topic: String,
    /// The number of the partition within its topic.
    #[schema(minimum = 0, maximum = 2_147_483_647, example = 0)]
    pub partition: i32,
    /// The position of the last event that Kafka has acknowledged; 0 before the first.
    #[schema(minimum = 0, example = 4_711)]
    pub position: i64,
    /// The offset right after the record of that event.
    #[schema(minimum = 0, example = 42)]
    pub next_offset: i64,
    /// Records before this offset are not compared with the log, because an operator had the topics adopted.
    #[schema(minimum = 0, example = 0)]
    pub adopted_until: i64,
}

/// How far the relay is.
///
/// # Errors
/// If Postgres fails.
pub async fn get(pool: &PgPool) -> sqlx::Result<RelayStatus> {
    let partitions = partitions(pool).await?;
    let found = sqlx::query!(
        r#"
        select case when present.alarm is not null then 'blocked'
                    when l.holder is null then 'not_running'
                    when behind.lag = 0 then 'idle'
                    when behind.lag_s > $1 then 'behind'
                    else 'following'
               end as "condition!: Condition",
               h.position as head,
               case when r.epoch > 0 then r.position end as position,
               behind.lag as "lag!",
               behind.lag_s,
               r.epoch,
               l.holder as "holder?",
               present.alarm,
               exists (select from relay_requests) as "is_asked!"
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
         cross join lateral (
               select case when r.alarm_epoch = r.epoch then r.alarm end as alarm
               ) present
        "#,
        BEHIND_S,
    )
    .fetch_one(pool)
    .await?;
    Ok(RelayStatus {
        condition: found.condition,
        head: found.head,
        position: found.position,
        lag: found.lag,
        lag_s: found.lag_s,
        epoch: found.epoch,
        holder: found.holder,
        alarm: found.alarm,
        is_asked: found.is_asked,
        partitions,
    })
}

/// How far each partition is to which the log is published, by topic and number. Topics that it was published to before are
/// left out, such as those of another prefix.
async fn partitions(pool: &PgPool) -> sqlx::Result<Vec<PartitionStatus>> {
    sqlx::query_as!(
        PartitionStatus,
        r#"
        select topic,
               partition,
               position,
               next_offset,
               adopted_until
          from relay_partitions
         where epoch = (select max(epoch) from relay_partitions)
         order by topic, partition
        "#
    )
    .fetch_all(pool)
    .await
}
