//! How far everything is behind the log, as Postgres tells it.

mod table;

use std::collections::BTreeMap;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;
use tidemark_event_store::{Log, TimedPool};
use tidemark_platform::config::required;
use tidemark_platform::{Config, database};
use uuid::Uuid;

use super::{Error, print};
use crate::projecting::shards;

/// The exit code where something is blocked.
const BLOCKED: u8 = 2;

/// A deployment at one moment, or nearly.
#[derive(Debug, Serialize)]
struct Status {
    head: i64,
    relay: Relay,
    read_models: Vec<Following>,
    reactors: Vec<Reactor>,
}

#[derive(Debug, Serialize)]
struct Relay {
    /// None if it never ran.
    position: Option<i64>,
    lag: i64,
}

/// Something that follows the log: a shard of a read model, a reactor.
#[derive(Debug, Serialize)]
struct Following {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<i32>,
    /// How many shards the generation has; none while that is not decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    shards: Option<i32>,
    /// How many it should have, if they are others: it takes a rebuild.
    #[serde(skip_serializing_if = "Option::is_none")]
    shards_configured: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    serving: Option<bool>,
    position: i64,
    lag: i64,
    blocked: Option<String>,
    /// The projector that works on it; none if nobody does.
    holder: Option<Uuid>,
}

#[derive(Debug, Serialize)]
struct Reactor {
    #[serde(flatten)]
    following: Following,
    /// Actions that are not done.
    pending: i64,
    /// Those whose time has come.
    due: i64,
    /// Those that were tried and got no answer.
    failing: i64,
    next_due_at: Option<DateTime<Utc>>,
}

pub(super) async fn status(config: &Config, json: bool) -> Result<ExitCode, Error> {
    let url = required(&config.database.project_url, "database.project_url")?;
    let configured = shards::configured(&config.projection)?;
    let pool = database::pool(&config.database, url)?;
    let pool = TimedPool::new(pool, config.database.response_timeout());
    let status = Status::read(&pool, &configured).await?;
    if json {
        print(&serde_json::to_string_pretty(&status)?);
    } else {
        print(&table::table(&status));
    }
    let is_blocked = status
        .following()
        .any(|following| following.blocked.is_some());
    Ok(if is_blocked {
        ExitCode::from(BLOCKED)
    } else {
        ExitCode::SUCCESS
    })
}

impl Status {
    /// The head is read last, so that nobody seems to be ahead of it by more than the moment.
    async fn read(pool: &TimedPool, configured: &BTreeMap<String, i32>) -> sqlx::Result<Self> {
        let mut read_models = read_models(pool).await?;
        for shard in &mut read_models {
            let configured = configured.get(&shard.name).copied().unwrap_or(1);
            let differs = shard.shards.is_some_and(|shards| shards != configured);
            shard.shards_configured = differs.then_some(configured);
        }
        let mut reactors = reactors(pool).await?;
        let relayed = relayed(pool).await?;
        let head = Log::new(pool.clone()).head().await?.position;
        let lag = |position: i64| (head - position).max(0);
        let reacting = reactors.iter_mut().map(|reactor| &mut reactor.following);
        for following in read_models.iter_mut().chain(reacting) {
            following.lag = lag(following.position);
        }
        Ok(Self {
            head,
            relay: Relay {
                position: relayed,
                lag: lag(relayed.unwrap_or(0)),
            },
            read_models,
            reactors,
        })
    }

    fn following(&self) -> impl Iterator<Item = &Following> {
        self.read_models
            .iter()
            .chain(self.reactors.iter().map(|reactor| &reactor.following))
    }
}

async fn relayed(pool: &PgPool) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!("select position from relay_progress where epoch > 0")
        .fetch_optional(pool)
        .await
}

async fn read_models(pool: &PgPool) -> sqlx::Result<Vec<Following>> {
    sqlx::query_as!(
        Following,
        r#"
        select c.read_model as name,
               c.generation as "generation?",
               c.shard as "shard?",
               g.shards as "shards?",
               null::integer as shards_configured,
               g.serving as "serving?",
               c.position,
               0::bigint as "lag!",
               c.blocked,
               l.holder as "holder?"
          from checkpoints c
          join generations g
         using (read_model, generation)
          left join leases l
            on l.name = format('projection:%s:%s:%s', c.read_model, c.generation, c.shard)
           and l.expires_at > clock_timestamp()
         order by c.read_model, c.generation, c.shard
        "#
    )
    .fetch_all(pool)
    .await
}

async fn reactors(pool: &PgPool) -> sqlx::Result<Vec<Reactor>> {
    let reactors = sqlx::query!(
        r#"
        select r.name,
               r.position,
               r.blocked,
               l.holder as "holder?",
               a.pending as "pending!",
               a.due as "due!",
               a.failing as "failing!",
               a.next_due_at
          from reactors r
          left join leases l
            on l.name = 'reactor:' || r.name
           and l.expires_at > clock_timestamp()
         cross join lateral (
               select count(*) as pending,
                      count(*) filter (where due_at <= clock_timestamp()) as due,
                      count(*) filter (where attempts > 0 and due_at <= clock_timestamp()) as failing,
                      min(next_attempt_at) as next_due_at
                 from reactor_actions
                where reactor = r.name
                  and done_at is null) a
         order by r.name
        "#
    )
    .fetch_all(pool)
    .await?;
    let reactors = reactors.into_iter().map(|row| Reactor {
        following: Following {
            name: row.name,
            generation: None,
            shard: None,
            shards: None,
            shards_configured: None,
            serving: None,
            position: row.position,
            lag: 0,
            blocked: row.blocked,
            holder: row.holder,
        },
        pending: row.pending,
        due: row.due,
        failing: row.failing,
        next_due_at: row.next_due_at,
    });
    Ok(reactors.collect())
}
