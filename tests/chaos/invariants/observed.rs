//! Everything that the invariants are checked on, read directly from the stores when everything is
//! quiet.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use redis::AsyncCommands;
use sha2::{Digest, Sha256};
use tidemark_event_store::{Log, TimedPool};
use tidemark_events::Recorded;
use tidemark_events::media::media::StoredVariant;
use tidemark_read_models::{ReadModel, for_each_read_model};
use tidemark_tests::database::RESPONSE_TIMEOUT;
use tidemark_tests::records::Records;
use tidemark_tests::replay::Rows;
use tidemark_tests::{records, replay};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::pictures;
use super::topics::Repeats;
use crate::journal::Entry;
use crate::servers::Receiver;
use crate::servers::receiver::ReceivedCall;
use crate::stack::Stack;

/// Longer than everything takes to follow the log to its end while nobody appends.
const QUIET_TIMEOUT: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(50);
const PAGE: i64 = 10_000;

/// The clients' journal and the content of all stores.
pub(crate) struct Observed {
    pub(crate) journal: Vec<Entry>,
    pub(crate) log: Vec<Recorded>,
    /// Whether the round's faults allow records to come again in the topics.
    pub(crate) repeats: Repeats,
    pub(crate) records: Records,
    /// How often the mail server was sent each mail.
    pub(crate) mails: BTreeMap<Uuid, usize>,
    /// The calls of tasks that arrived.
    pub(crate) calls: Vec<ReceivedCall>,
    pub(crate) pictures: pictures::Bytes,
    pub(crate) read_models: Vec<ObservedReadModel>,
    pub(crate) checkpoints: Vec<Checkpoint>,
    /// What had not followed the log to its end in time.
    pub(crate) behind: Vec<String>,
}

/// A read model as it is stored, and as a replay makes it.
pub(crate) struct ObservedReadModel {
    pub(crate) name: &'static str,
    pub(crate) replayed: Rows,
    pub(crate) rows: Rows,
    /// Its documents in Redis, if it is one that has them.
    pub(crate) documents: Option<Rows>,
    /// One line for each row that differs from the replay.
    pub(crate) unlike_replay: Vec<String>,
}

/// How far something says that it has applied the log.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoint {
    /// A read model, a reactor, the relay, or a bucket of documents.
    pub(crate) owner: String,
    pub(crate) position: i64,
}

impl Observed {
    /// Waits until everything has followed the log to its end, and reads it all.
    pub(crate) async fn gather(stack: &Stack, journal: Vec<Entry>, repeats: Repeats) -> Self {
        let behind = wait_for_quiet(stack).await;
        let log = read_log(stack).await;
        let read_models = for_each_read_model!(read_model(stack, &log).await).into();
        Self {
            records: read_records(stack).await,
            mails: stack.mail.received(),
            calls: stack
                .receivers
                .iter()
                .flat_map(Receiver::received)
                .collect(),
            pictures: read_pictures(stack, &log).await,
            checkpoints: checkpoints(stack).await,
            journal,
            log,
            repeats,
            read_models,
            behind,
        }
    }
}

/// Waits until nothing is behind the log, and returns what still is when the time is over.
async fn wait_for_quiet(stack: &Stack) -> Vec<String> {
    let started = Instant::now();
    loop {
        let behind = behind(stack).await;
        if behind.is_empty() || started.elapsed() > QUIET_TIMEOUT {
            return behind;
        }
        sleep(POLL).await;
    }
}

/// What has not reached the head of the log yet. Auctions that end within a minute are waited for.
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
    behind.extend(documents_behind(stack, stack.head().await).await);
    behind
}

/// The buckets of documents in Redis that have not reached a position.
pub(crate) async fn documents_behind(stack: &Stack, position: i64) -> Vec<String> {
    let buckets = for_each_read_model!(buckets(stack).await).concat();
    let behind = buckets.iter().filter(|bucket| bucket.position < position);
    behind.map(|bucket| bucket.owner.clone()).collect()
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

async fn read_pictures(stack: &Stack, log: &[Recorded]) -> pictures::Bytes {
    let mut found = pictures::Bytes::new();
    for (media, variants) in pictures::stored(log) {
        for StoredVariant { variant, .. } in variants {
            let name = serde_json::to_value(variant).unwrap();
            let name = name.as_str().unwrap();
            let url = format!("{}/v1/media/{media}/{name}", stack.query_apis[0].url);
            let answer = reqwest::get(url).await.unwrap();
            let sha256 = if answer.status().is_success() {
                Some(hex::encode(Sha256::digest(answer.bytes().await.unwrap())))
            } else {
                None
            };
            found.insert((media, variant), sha256);
        }
    }
    found
}

async fn read_model<M: ReadModel>(stack: &Stack, log: &[Recorded]) -> ObservedReadModel {
    let replayed = replay::replay::<M>(log);
    let rows = replay::rows::<M>(&stack.pool).await;
    ObservedReadModel {
        name: M::NAME,
        unlike_replay: replay::differences::<M>(&replayed, &rows),
        documents: if M::IN_REDIS {
            Some(documents::<M>(stack).await)
        } else {
            None
        },
        replayed,
        rows,
    }
}

/// The keys of a read model's buckets in Redis, of the log's present timeline.
async fn bucket_keys<M: ReadModel>(
    stack: &Stack,
    redis: &mut redis::aio::MultiplexedConnection,
) -> Vec<String> {
    let prefix = stack.settings.config().redis.key_prefix;
    let timeline: i32 = sqlx::query_scalar("select timeline from log_head")
        .fetch_one(&stack.pool)
        .await
        .unwrap();
    let pattern = format!("{prefix}:{{{timeline}.{}.*}}", M::NAME);
    redis.keys(pattern).await.unwrap()
}

async fn documents<M: ReadModel>(stack: &Stack) -> Rows {
    let mut redis = stack.redis.connect().await.unwrap();
    let mut rows = Rows::new();
    for key in bucket_keys::<M>(stack, &mut redis).await {
        let fields: BTreeMap<String, String> = redis.hgetall(key).await.unwrap();
        let documents = fields.into_iter().filter_map(|(id, value)| {
            let (position, document) = value.split_once(' ')?;
            let row = (position.parse().ok()?, document.to_owned());
            // A position without a document says that the row was removed.
            (!document.is_empty()).then_some((id.parse().ok()?, row))
        });
        rows.extend(documents);
    }
    rows
}

/// The checkpoints of a read model's buckets. Buckets that do not exist are at position 0.
async fn buckets<M: ReadModel>(stack: &Stack) -> Vec<Checkpoint> {
    if !M::IN_REDIS {
        return Vec::new();
    }
    let owner = format!("documents of {} in Redis", M::NAME);
    let Ok(mut redis) = stack.redis.connect().await else {
        return vec![Checkpoint { owner, position: 0 }];
    };
    let mut buckets = Vec::new();
    for key in bucket_keys::<M>(stack, &mut redis).await {
        let checkpoint: Option<String> = redis.hget(key, "@checkpoint").await.unwrap();
        let position = checkpoint.map(|text| text.split(' ').next().unwrap().parse().unwrap());
        buckets.push(Checkpoint {
            owner: owner.clone(),
            position: position.unwrap_or(0),
        });
    }
    if buckets.is_empty() {
        buckets.push(Checkpoint { owner, position: 0 });
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
        .map(|(owner, position)| Checkpoint { owner, position });
    let buckets = for_each_read_model!(buckets(stack).await).concat();
    rows.chain(buckets).collect()
}
