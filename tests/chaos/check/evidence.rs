//! Everything that the counters look at, read from the stores themselves when everything is quiet.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use redis::AsyncCommands;
use tidemark_event_store::{Log, TimedPool};
use tidemark_events::Recorded;
use tidemark_read_models::{ReadModel, for_each_read_model};
use tidemark_tests::database::RESPONSE_TIMEOUT;
use tidemark_tests::records::Records;
use tidemark_tests::replay::Rows;
use tidemark_tests::{records, replay};
use tokio::time::{Instant, sleep};

use crate::faults::Topics;
use crate::journal::Line;
use crate::stack::Stack;

/// Longer than everything takes to follow the log to its end, with nobody appending.
const QUIET: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(50);
const PAGE: i64 = 10_000;

/// What the clients and the stores say.
pub(crate) struct Evidence {
    pub(crate) lines: Vec<Line>,
    pub(crate) log: Vec<Recorded>,
    pub(crate) topics: Topics,
    pub(crate) records: Records,
    pub(crate) models: Vec<Model>,
    pub(crate) checkpoints: Vec<Checkpoint>,
    /// What did not follow the log to its end in time.
    pub(crate) behind: Vec<String>,
}

/// A read model: as stored, and as a replay makes it.
pub(crate) struct Model {
    pub(crate) name: &'static str,
    pub(crate) replayed: Rows,
    pub(crate) rows: Rows,
    /// The documents in Redis, where there are any.
    pub(crate) documents: Option<Rows>,
    /// The rows unlike the replay.
    pub(crate) unlike: Vec<String>,
}

/// How far something says that it has applied the log.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoint {
    pub(crate) of: String,
    pub(crate) position: i64,
}

impl Evidence {
    /// Waits until everything has followed the log, and reads it all.
    pub(crate) async fn gather(stack: &Stack, lines: Vec<Line>, topics: Topics) -> Self {
        let behind = settle(stack).await;
        let log = read_log(stack).await;
        let models = for_each_read_model!(model(stack, &log).await).into();
        Self {
            records: read_records(stack).await,
            checkpoints: checkpoints(stack).await,
            lines,
            log,
            topics,
            models,
            behind,
        }
    }
}

/// Waits until nothing is left to do, and returns what is nevertheless.
async fn settle(stack: &Stack) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let behind = behind(stack).await;
        if behind.is_empty() || begun.elapsed() > QUIET {
            return behind;
        }
        sleep(POLL).await;
    }
}

/// What is not at the head of the log yet. An auction that is about to end is waited for.
async fn behind(stack: &Stack) -> Vec<String> {
    let rows = sqlx::query_scalar(
        "
        select 'the relay'
          from relay_progress, log_head
         where relay_progress.position < log_head.position
         union all
        select 'read model ' || read_model || coalesce(', blocked: ' || blocked, '')
          from checkpoints, log_head
         where checkpoints.position < log_head.position
         union all
        select 'reactor ' || name
          from reactors, log_head
         where reactors.position < log_head.position
         union all
        select 'action ' || path || coalesce(': ' || outcome, '')
          from reactor_actions
         where done_at is null
           and due_at <= clock_timestamp() + interval '1 minute'
        ",
    );
    let mut behind: Vec<String> = rows.fetch_all(&stack.pool).await.unwrap();
    behind.extend(documents_behind(stack, head(stack).await).await);
    behind
}

/// The position of the last event.
pub(crate) async fn head(stack: &Stack) -> i64 {
    sqlx::query_scalar("select position from log_head")
        .fetch_one(&stack.pool)
        .await
        .unwrap()
}

/// The buckets of documents that do not reach a position.
pub(crate) async fn documents_behind(stack: &Stack, head: i64) -> Vec<String> {
    let buckets = for_each_read_model!(buckets(stack).await).concat();
    let late = buckets.iter().filter(|bucket| bucket.position < head);
    late.map(|bucket| bucket.of.clone()).collect()
}

async fn read_log(stack: &Stack) -> Vec<Recorded> {
    let log = Log::new(TimedPool::new(stack.pool.clone(), RESPONSE_TIMEOUT));
    let mut events: Vec<Recorded> = Vec::new();
    loop {
        let last = events.last().map_or(0, |event| event.position);
        let page = log.page(last, PAGE).await.unwrap();
        if page.is_empty() {
            return events;
        }
        events.extend(page);
    }
}

async fn read_records(stack: &Stack) -> Records {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", stack.kafka.brokers())
        .set("group.id", "chaos")
        .set("check.crcs", "true");
    let kafka = stack.settings.config().kafka;
    tokio::task::spawn_blocking(move || {
        records::read(&client, &kafka.topic_prefix, kafka.partitions)
    })
    .await
    .unwrap()
}

async fn model<M: ReadModel>(stack: &Stack, log: &[Recorded]) -> Model {
    let replayed = replay::replay::<M>(log);
    let rows = replay::rows::<M>(&stack.pool).await;
    Model {
        name: M::NAME,
        unlike: replay::differences::<M>(&replayed, &rows),
        documents: if M::IN_REDIS {
            Some(documents::<M>(stack).await)
        } else {
            None
        },
        replayed,
        rows,
    }
}

/// The hashes that hold a read model's documents.
async fn keys<M: ReadModel>(
    stack: &Stack,
    redis: &mut redis::aio::MultiplexedConnection,
) -> Vec<String> {
    let prefix = stack.settings.config().redis.key_prefix;
    let pattern = format!("{prefix}:{{{}.*}}", M::NAME);
    redis.keys(pattern).await.unwrap()
}

async fn documents<M: ReadModel>(stack: &Stack) -> Rows {
    let mut redis = stack.redis.connect().await.unwrap();
    let mut rows = Rows::new();
    for key in keys::<M>(stack, &mut redis).await {
        let fields: BTreeMap<String, String> = redis.hgetall(key).await.unwrap();
        let documents = fields.into_iter().filter_map(|(id, value)| {
            let (position, document) = value.split_once(' ')?;
            let row = (position.parse().ok()?, document.to_owned());
            // Without a document it says that the row is gone.
            (!document.is_empty()).then_some((id.parse().ok()?, row))
        });
        rows.extend(documents);
    }
    rows
}

/// How far each bucket of documents is; one that is not there is at zero.
async fn buckets<M: ReadModel>(stack: &Stack) -> Vec<Checkpoint> {
    if !M::IN_REDIS {
        return Vec::new();
    }
    let of = format!("the documents of {}", M::NAME);
    let Ok(mut redis) = stack.redis.connect().await else {
        return vec![Checkpoint { of, position: 0 }];
    };
    let mut buckets = Vec::new();
    for key in keys::<M>(stack, &mut redis).await {
        let position: Option<i64> = redis.hget(key, "@checkpoint").await.unwrap();
        buckets.push(Checkpoint {
            of: of.clone(),
            position: position.unwrap_or(0),
        });
    }
    if buckets.is_empty() {
        buckets.push(Checkpoint { of, position: 0 });
    }
    buckets
}

async fn checkpoints(stack: &Stack) -> Vec<Checkpoint> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "
        select 'read model ' || read_model, position
          from checkpoints
         union all
        select 'reactor ' || name, position
          from reactors
         union all
        select 'the relay', position
          from relay_progress
        ",
    )
    .fetch_all(&stack.pool)
    .await
    .unwrap();
    let rows = rows
        .into_iter()
        .map(|(of, position)| Checkpoint { of, position });
    let buckets = for_each_read_model!(buckets(stack).await).concat();
    rows.chain(buckets).collect()
}
