//! Shows how far everything is behind the log. All of it is read from Postgres.

mod table;

use std::collections::HashSet;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;
use tidemark_event_store::{Log, TimedPool};
use tidemark_platform::Config;
use uuid::Uuid;

use super::{Error, connect, print};
use crate::projecting::shards;
use crate::projecting::shards::ShardCounts;
use crate::sharing::assignment::Assignment;
use crate::sharing::snapshot::Snapshot;

/// The exit code if a read model or reactor is blocked, or a row is parked.
const EXIT_BLOCKED: u8 = 2;

/// The state of a deployment. It is read by several statements, so its parts may be moments apart.
#[derive(Debug, Serialize)]
struct Status {
    head: i64,
    relay: Relay,
    read_models: Vec<Progress>,
    reactors: Vec<Reactor>,
}

#[derive(Debug, Serialize)]
struct Relay {
    /// The position up to which the log is published; `None` if no relay ever ran.
    position: Option<i64>,
    lag: i64,
}

/// The progress of a subscriber: of a shard of a read model, or of a reactor.
#[derive(Debug, Serialize)]
struct Progress {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<i32>,
    /// The number of shards that the generation has; `None` until the first projector has divided it.
    #[serde(skip_serializing_if = "Option::is_none")]
    shards: Option<i32>,
    /// The configured number of shards, if it is another. It takes a rebuild to get there.
    #[serde(skip_serializing_if = "Option::is_none")]
    shards_configured: Option<i32>,
    /// The state of the generation, such as `serving`.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fold_version: Option<i32>,
    /// Whether an operator has paused the build of the generation.
    paused: bool,
    position: i64,
    lag: i64,
    blocked: Option<String>,
    /// The number of rows that are parked.
    #[serde(skip_serializing_if = "Option::is_none")]
    parked: Option<i64>,
    /// The projector that holds the lease; `None` if it is not held.
    holder: Option<Uuid>,
    #[serde(skip)]
    lease: String,
    /// Whether some running projector can run it. If not, it stands still until one of another build is started.
    can_run: bool,
}

#[derive(Debug, Serialize)]
struct Reactor {
    #[serde(flatten)]
    progress: Progress,
    /// The number of actions that have not ended.
    pending: i64,
    /// The number of pending actions that are due.
    due: i64,
    /// The number of due actions that were tried without success.
    failing: i64,
    /// When the next pending action is tried.
    next_due_at: Option<DateTime<Utc>>,
}

pub(super) async fn status(config: &Config, json: bool) -> Result<ExitCode, Error> {
    let pool = connect(config)?;
    let configured = shards::configured(&config.projection)?;
    let status = Status::read(&pool, &configured).await?;
    if json {
        print(&serde_json::to_string_pretty(&status)?);
    } else {
        print(&table::table(&status));
    }
    let needs_help = status
        .all_progress()
        .any(|progress| progress.blocked.is_some() || progress.parked > Some(0));
    Ok(if needs_help {
        ExitCode::from(EXIT_BLOCKED)
    } else {
        ExitCode::SUCCESS
    })
}

impl Status {
    /// Reads everything. The head is read last, so that no position is ahead of it.
    async fn read(pool: &TimedPool, configured: &ShardCounts) -> sqlx::Result<Self> {
        let mut read_models = read_models(pool).await?;
        for shard in &mut read_models {
            let configured = shards::count(configured, &shard.name);
            let differs = shard.shards.is_some_and(|shards| shards != configured);
            shard.shards_configured = differs.then_some(configured);
        }
        let mut reactors = reactors(pool).await?;
        let snapshot = Snapshot::read(pool).await?;
        let beyond_all: HashSet<_> = snapshot.beyond_all().map(Assignment::lease).collect();
        let relay_position = relay_position(pool).await?;
        let head = Log::new(pool.clone()).head().await?.position;
        let lag = |position: i64| (head - position).max(0);
        let of_reactors = reactors.iter_mut().map(|reactor| &mut reactor.progress);
        for progress in read_models.iter_mut().chain(of_reactors) {
            progress.can_run = !beyond_all.contains(&progress.lease);
            progress.lag = lag(progress.position);
        }
        Ok(Self {
            head,
            relay: Relay {
                position: relay_position,
                lag: lag(relay_position.unwrap_or(0)),
            },
            read_models,
            reactors,
        })
    }

    fn all_progress(&self) -> impl Iterator<Item = &Progress> {
        self.read_models
            .iter()
            .chain(self.reactors.iter().map(|reactor| &reactor.progress))
    }
}

async fn relay_position(pool: &PgPool) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!("select position from relay_progress where epoch > 0")
        .fetch_optional(pool)
        .await
}

async fn read_models(pool: &PgPool) -> sqlx::Result<Vec<Progress>> {
    sqlx::query_as!(
        Progress,
        r#"
        select c.read_model as name,
               c.generation as "generation?",
               c.shard as "shard?",
               g.shards as "shards?",
               null::integer as shards_configured,
               g.state as "state?",
               g.fold_version as "fold_version?",
               g.paused,
               c.position,
               0::bigint as "lag!",
               c.blocked,
               (select count(*)
                  from parked p
                 where p.read_model = c.read_model
                   and p.generation = c.generation
                   and p.shard = c.shard) as parked,
               l.holder as "holder?",
               lease as "lease!",
               true as "can_run!"
          from checkpoints c
          join generations g
         using (read_model, generation)
         cross join format('projection:%s:%s:%s', c.read_model, c.generation, c.shard) as lease
          left join leases l
            on l.name = lease
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
               lease as "lease!",
               a.pending as "pending!",
               a.due as "due!",
               a.failing as "failing!",
               a.next_due_at
          from reactors r
         cross join concat('reactor:', r.name) as lease
          left join leases l
            on l.name = lease
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
        progress: Progress {
            name: row.name,
            generation: None,
            shard: None,
            shards: None,
            shards_configured: None,
            state: None,
            fold_version: None,
            paused: false,
            position: row.position,
            lag: 0,
            blocked: row.blocked,
            parked: None,
            holder: row.holder,
            lease: row.lease,
            can_run: true,
        },
        pending: row.pending,
        due: row.due,
        failing: row.failing,
        next_due_at: row.next_due_at,
    });
    Ok(reactors.collect())
}
