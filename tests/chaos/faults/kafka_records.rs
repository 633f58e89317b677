//! Topics that are not what the relay made of them: records that come again, in another order or
//! never; a topic that is gone; a relay that is wrong about where it was.

mod mirror;

use std::time::{Duration, Instant};

use futures::FutureExt;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use sqlx::AssertSqlSafe;
use tidemark_events::Aggregate;

use super::disk::published;
use super::network::back;
use super::{Episode, Fault, Outcome, Topics, ordinary};
use crate::stack::{Process, Stack, until};
use mirror::{Change, Mirror};

/// The faults of this kind.
pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        id: "f30",
        title: "every record comes twice",
        full: 3,
        layout: ordinary,
        topics: Topics::Exact,
        inject: |episode| mirrored(episode, &[Change::AllTwice], "dropped").boxed(),
    },
    Fault {
        id: "f30-some",
        title: "one of ten records comes twice",
        full: 3,
        layout: ordinary,
        topics: Topics::Exact,
        inject: |episode| mirrored(episode, &[Change::SomeTwice], "dropped").boxed(),
    },
    Fault {
        id: "f31",
        title: "records come in another order",
        full: 3,
        layout: ordinary,
        topics: Topics::Exact,
        inject: |episode| {
            mirrored(episode, &[Change::Swapped, Change::Reversed], "backfilled").boxed()
        },
    },
    Fault {
        id: "f32",
        title: "one of fifty records never comes",
        full: 3,
        layout: ordinary,
        topics: Topics::Exact,
        inject: |episode| mirrored(episode, &[Change::Dropped], "backfilled").boxed(),
    },
    Fault {
        id: "f33",
        title: "a topic is deleted",
        full: 3,
        layout: ordinary,
        topics: Topics::Exact,
        inject: |episode| delete_topic(episode).boxed(),
    },
    Fault {
        id: "f34",
        title: "the relay's saved offsets are wrong",
        full: 6,
        layout: ordinary,
        topics: Topics::Exact,
        inject: |episode| edit_progress(episode).boxed(),
    },
];

/// Commands that a changed mirror sees.
const SEEN: u64 = 1_500;
const TIMEOUT: Duration = Duration::from_secs(10);
/// So many events a second are published again at least, where there are enough to tell.
const REPUBLISHED: f64 = 5_000.0;
const ENOUGH: i64 = 20_000;

const WRONG: [&str; 6] = [
    // As if the broker had lost what it acknowledged.
    "update relay_partitions set next_offset = next_offset + 1000",
    "update relay_partitions set next_offset = -7",
    "update relay_partitions set next_offset = 0, position = 0",
    "update relay_partitions set next_offset = greatest(next_offset - 3, 0)",
    "update relay_partitions set position = position + 1",
    "delete from relay_partitions",
];

/// The projector follows a copy of the topics in which records are changed. Of what the feed counts,
/// `counted` shows that it noticed.
async fn mirrored(mut episode: Episode, changes: &[Change], counted: &str) -> Outcome {
    let stack = episode.stack.clone();
    let change = *episode.one_of(changes);
    let mirror = Mirror::start(&stack, change, &mut episode.rng).await;
    let projector = &stack.projectors[0];
    projector
        .restart_with(|program| {
            let prefix = mirror.topic_prefix().to_owned();
            let name = "TIDEMARK_KAFKA__TOPIC_PREFIX".to_owned();
            program.environment.insert(name, prefix);
        })
        .await;
    episode.load.accepted(SEEN).await;
    mirror.repeat_all();
    episode.load.accepted(SEEN / 2).await;
    let recovered = back(&episode).await;
    let noticed = counter(projector, counted).await;
    let merged = counter(projector, "merged").await;
    assert!(
        noticed > 0 && merged > 0,
        "{change:?}: {counted} {noticed}, merged {merged}"
    );
    Outcome::Recovered(recovered)
}

/// What the feed of a projector has counted.
async fn counter(projector: &Process, name: &str) -> u64 {
    let metrics = reqwest::get(format!("{}/metrics", projector.url));
    let metrics = metrics.await.unwrap().text().await.unwrap();
    let name = format!("tidemark_feed_{name}_total ");
    let count = metrics.lines().find_map(|line| line.strip_prefix(&name));
    count.map_or(0, |count| count.trim().parse().unwrap())
}

async fn delete_topic(mut episode: Episode) -> Outcome {
    let stack = episode.stack.clone();
    let aggregate = *episode.one_of(Aggregate::ALL);
    let topic = aggregate.topic(&stack.settings.config().kafka.topic_prefix);
    let client = client(&stack);
    let admin: AdminClient<DefaultClientContext> = client.create().unwrap();
    let options = AdminOptions::new().operation_timeout(Some(TIMEOUT));
    admin.delete_topics(&[&topic], &options).await.unwrap();
    let due: i64 = sqlx::query_scalar("select count(*) from events where aggregate = $1")
        .bind(aggregate.name())
        .fetch_one(&stack.pool)
        .await
        .unwrap();
    let partitions = stack.settings.config().kafka.partitions;
    let consumer: BaseConsumer = client.create().unwrap();
    let held = || {
        let held = |number| consumer.fetch_watermarks(&topic, number, TIMEOUT);
        let ends = (0..partitions).filter_map(|number| held(number).ok());
        ends.map(|(first, end)| end - first).sum::<i64>()
    };
    until("the topic to begin", || async { due == 0 || held() > 0 }).await;
    let began = Instant::now();
    until("the topic to be whole", || async { held() >= due }).await;
    let rate = f64::from(i32::try_from(due).unwrap()) / began.elapsed().as_secs_f64();
    assert!(due < ENOUGH || rate >= REPUBLISHED, "{rate} events/s");
    let recovered = back(&episode).await;
    published(&stack).await;
    Outcome::Recovered(recovered)
}

async fn edit_progress(mut episode: Episode) -> Outcome {
    let stack = episode.stack.clone();
    let wrong = *episode.one_of(&WRONG);
    let relay = &stack.relays[0];
    relay.stop().await;
    sqlx::query(AssertSqlSafe(wrong))
        .execute(&stack.pool)
        .await
        .unwrap();
    episode.load.accepted(100).await;
    relay.process.release();
    relay.ready().await;
    published(&stack).await;
    Outcome::Recovered(back(&episode).await)
}

/// Where all partitions of all topics end, summed up.
pub(super) async fn ends(stack: &Stack) -> i64 {
    let kafka = stack.settings.config().kafka;
    let consumer: BaseConsumer = client(stack).create().unwrap();
    let ends = move || {
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
    tokio::task::spawn_blocking(ends).await.unwrap()
}

fn client(stack: &Stack) -> ClientConfig {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", stack.kafka.brokers())
        .set("group.id", "chaos");
    client
}
