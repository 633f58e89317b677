//! Topics that are not as the relay published them: records come again, in another order or never, or are not of this log;
//! a topic is gone; the relay is wrong about where it was.

mod mirror;

use std::time::{Duration, Instant};

use futures::FutureExt;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use sqlx::AssertSqlSafe;
use tidemark_events::Aggregate;

use super::recovery::wait_until_published;
use super::{Fault, Injection, Outcome};
use crate::stack::{Process, Stack};
use crate::wait::wait_until;
use mirror::{Change, Mirror};

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(
        "duplicate-all-records",
        "every record comes twice",
        3,
        |i| mirror_topics(i, &[Change::DuplicateAll], "dropped").boxed(),
    ),
    Fault::new(
        "duplicate-some-records",
        "one of ten records comes twice",
        3,
        |i| mirror_topics(i, &[Change::DuplicateSome], "dropped").boxed(),
    ),
    Fault::new("reorder-records", "records come in another order", 3, |i| {
        mirror_topics(
            i,
            &[Change::SwapNeighbours, Change::ReverseBlocks],
            "backfilled",
        )
        .boxed()
    }),
    Fault::new("drop-records", "one of fifty records never comes", 3, |i| {
        mirror_topics(i, &[Change::DropSome], "backfilled").boxed()
    }),
    Fault::new(
        "junk-records",
        "records without an event stand in the topics",
        3,
        |i| mirror_topics(i, &[Change::AddJunk], "broken").boxed(),
    ),
    Fault::new(
        "foreign-records",
        "events of another timeline stand in the topics, before those of the log",
        3,
        |i| mirror_topics(i, &[Change::AddForeign], "foreign").boxed(),
    ),
    Fault::new("delete-topic", "a topic is deleted", 3, |i| {
        delete_topic(i).boxed()
    }),
    Fault::new(
        "corrupt-relay-offsets",
        "the relay's saved offsets are wrong or gone",
        6,
        |i| corrupt_relay_offsets(i).boxed(),
    ),
];

/// Commands whose records the projector reads from changed topics.
const COMMANDS: u64 = 1_500;
const TIMEOUT: Duration = Duration::from_secs(10);
/// Events per second that are published again at least, where there are enough to measure that.
const REPUBLISHED_PER_SECOND: f64 = 5_000.0;
const ENOUGH_TO_MEASURE: i64 = 20_000;

/// Ways for the relay's saved offsets to be wrong.
const CORRUPTIONS: [&str; 6] = [
    // The topics seem to have lost what the broker acknowledged.
    "update relay_partitions set next_offset = next_offset + 1000",
    "update relay_partitions set next_offset = -7",
    "update relay_partitions set next_offset = 0, position = 0",
    "update relay_partitions set next_offset = greatest(next_offset - 3, 0)",
    "update relay_partitions set position = position + 1",
    "delete from relay_partitions",
];

/// Has the projector follow a copy of the topics in which records are changed. The metric
/// `tidemark_feed_<noticed>_total` must show that the feed noticed.
async fn mirror_topics(mut injection: Injection, changes: &[Change], noticed: &str) -> Outcome {
    let stack = injection.stack.clone();
    let change = *injection.one_of(changes);
    let mirror = Mirror::start(&stack, change, &mut injection.rng).await;
    let projector = &stack.projectors[0];
    projector
        .restart_with(|program| {
            let prefix = mirror.topic_prefix().to_owned();
            let name = "TIDEMARK_KAFKA__TOPIC_PREFIX".to_owned();
            program.environment.insert(name, prefix);
        })
        .await;
    injection.load.wait_for_commands(COMMANDS).await;
    mirror.repeat_all();
    injection.load.wait_for_commands(COMMANDS / 2).await;
    let recovered = injection.wait_for_service().await;
    let count = feed_counter(projector, noticed).await;
    let merged = feed_counter(projector, "merged").await;
    assert!(
        count > 0 && merged > 0,
        "{change:?}: the feed counted {noticed} {count}, merged {merged}"
    );
    Outcome::Recovered(recovered)
}

/// What the feed of a projector has counted.
async fn feed_counter(projector: &Process, name: &str) -> u64 {
    let metrics = reqwest::get(format!("{}/metrics", projector.url));
    let metrics = metrics.await.unwrap().text().await.unwrap();
    let name = format!("tidemark_feed_{name}_total ");
    let count = metrics.lines().find_map(|line| line.strip_prefix(&name));
    count.map_or(0, |count| count.trim().parse().unwrap())
}

async fn delete_topic(mut injection: Injection) -> Outcome {
    let stack = injection.stack.clone();
    let aggregate = *injection.one_of(Aggregate::ALL);
    let kafka = stack.settings.config().kafka;
    let topic = aggregate.topic(&kafka.topic_prefix);
    let client = client(&stack);
    let admin: AdminClient<DefaultClientContext> = client.create().unwrap();
    let options = AdminOptions::new().operation_timeout(Some(TIMEOUT));
    admin.delete_topics(&[&topic], &options).await.unwrap();
    let events: i64 = sqlx::query_scalar("select count(*) from events where aggregate = $1")
        .bind(aggregate.name())
        .fetch_one(&stack.pool)
        .await
        .unwrap();
    let consumer: BaseConsumer = client.create().unwrap();
    let records = || {
        let watermarks = |number| consumer.fetch_watermarks(&topic, number, TIMEOUT);
        let watermarks = (0..kafka.partitions).filter_map(|number| watermarks(number).ok());
        watermarks.map(|(first, end)| end - first).sum::<i64>()
    };
    let what = format!("{topic} is published again");
    wait_until(&what, || async { events == 0 || records() > 0 }).await;
    let started = Instant::now();
    wait_until(&what, || async { records() >= events }).await;
    let rate = f64::from(i32::try_from(events).unwrap()) / started.elapsed().as_secs_f64();
    assert!(
        events < ENOUGH_TO_MEASURE || rate >= REPUBLISHED_PER_SECOND,
        "{topic} was published again at {rate:.0} events/s, not {REPUBLISHED_PER_SECOND}"
    );
    let recovered = injection.wait_for_service().await;
    wait_until_published(&stack).await;
    Outcome::Recovered(recovered)
}

async fn corrupt_relay_offsets(mut injection: Injection) -> Outcome {
    let stack = injection.stack.clone();
    let corruption = *injection.one_of(&CORRUPTIONS);
    let relay = &stack.relays[0];
    relay.stop().await;
    sqlx::query(AssertSqlSafe(corruption))
        .execute(&stack.pool)
        .await
        .unwrap();
    injection.load.wait_for_commands(100).await;
    relay.supervised.release();
    relay.ready().await;
    wait_until_published(&stack).await;
    Outcome::Recovered(injection.wait_for_service().await)
}

/// How many records were ever written to all partitions of all topics.
pub(super) async fn count_records(stack: &Stack) -> i64 {
    let kafka = stack.settings.config().kafka;
    let consumer: BaseConsumer = client(stack).create().unwrap();
    let count = move || {
        let topics = Aggregate::ALL
            .iter()
            .map(|aggregate| aggregate.topic(&kafka.topic_prefix));
        let partitions =
            topics.flat_map(|topic| (0..kafka.partitions).map(move |n| (topic.clone(), n)));
        let end = |(topic, number): (String, i32)| {
            let (_, end) = consumer
                .fetch_watermarks(&topic, number, TIMEOUT)
                .unwrap_or_default();
            end
        };
        partitions.map(end).sum()
    };
    tokio::task::spawn_blocking(count).await.unwrap()
}

fn client(stack: &Stack) -> ClientConfig {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", stack.kafka.brokers())
        .set("group.id", "chaos");
    client
}
