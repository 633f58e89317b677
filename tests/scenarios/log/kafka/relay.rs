//! The topics hold every event once and in order, whatever happens to the relay.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::Message;
use tidemark_event_store::relay::{self, Health};
use tidemark_event_store::{Group, NewEvent};
use tidemark_events::Encoded;
use tidemark_platform::ids::new_id;
use tidemark_tests::{Process, Settings};
use tokio::time::timeout;

use super::relayed_log::{RelayedLog, any_confirms, event_of, metadata, within};
use super::topics::{Topics, defects, header};

async fn assert_complete(relayed: &RelayedLog, topics: &Topics) {
    assert_eq!(
        defects(&relayed.log, &topics.records().await).await,
        [""; 0]
    );
}

/// Fails unless the saved progress of each partition is the end of that partition.
async fn assert_progress(relayed: &RelayedLog, topics: &Topics) {
    let saved: Vec<(String, i32, i64)> = sqlx::query_as(
        "select topic, partition, next_offset from relay_partitions
          where next_offset > 0 order by topic collate \"C\", partition",
    )
    .fetch_all(&relayed.database.pool)
    .await
    .unwrap();
    let ends: Vec<_> = topics
        .records()
        .await
        .values()
        .filter_map(|records| records.last())
        .map(|last| {
            let end = last.offset() + 1;
            (last.topic().to_owned(), last.partition(), end)
        })
        .collect();
    assert_eq!(saved, ends);
}

#[tokio::test(flavor = "multi_thread")]
async fn publishes_the_log_and_goes_on_where_it_stopped() {
    let mut relayed = RelayedLog::new().await;
    let topics = Topics::of(&relayed.settings.kafka);
    let head = relayed.append(500).await;
    let mut relay = relayed.relay();
    relay.confirms(head).await;
    let head = relayed.append(500).await;
    relay.confirms(head).await;
    relay.stop().await;
    assert_progress(&relayed, &topics).await;

    let head = relayed.append(500).await;
    let mut relay = relayed.relay();
    relay.confirms(head).await;
    assert_complete(&relayed, &topics).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_is_stored_and_produced_byte_for_byte() {
    let mut relayed = RelayedLog::new().await;
    let topics = Topics::of(&relayed.settings.kafka);
    // Neither `jsonb` nor a serialiser of ours would keep this text as it is.
    let data = r#"{ "z":1.50, "a" : 1e2,"a":"ü\u00fc" }"#.to_owned();
    let metadata = format!(" {} ", metadata());
    let stream_id = new_id();
    let event = NewEvent {
        event_id: new_id(),
        stream_id,
        version: 1,
        aggregate: "user",
        encoded: Encoded {
            data: data.clone(),
            ..event_of(2, stream_id).encode().unwrap()
        },
        metadata: metadata.clone(),
    };
    let streams = vec![(stream_id, 0)];
    let group = Group {
        events: vec![event],
        streams,
        ..Group::default()
    };
    relayed.append_group(group).await;
    relayed.relay().confirms(1).await;

    let stored = &relayed.log.page(0, 1).await.unwrap()[0];
    assert_eq!((&stored.data, &stored.metadata), (&data, &metadata));
    let records = topics.records().await;
    let produced = records.values().flatten().next().unwrap();
    assert_eq!(produced.payload(), Some(data.as_bytes()));
    assert_eq!(header(produced, "ce_metadata"), metadata);
    assert_complete(&relayed, &topics).await;
}

/// Kills a real process with `kill -9` at a random position of each part of the log.
#[tokio::test(flavor = "multi_thread")]
async fn killed_mid_stream_it_leaves_the_topics_complete() {
    let mut relayed = RelayedLog::new().await;
    let topics = Topics::of(&relayed.settings.kafka);
    let mut settings = Settings::new(&relayed.database);
    let prefix = &*relayed.settings.kafka.topic_prefix;
    settings.set("TIDEMARK_KAFKA__TOPIC_PREFIX", prefix);
    let head = relayed.append(10_000).await;
    for kill in 1..=4 {
        let mut relay = Process::relay(&settings).await;
        let after = rand::random_range(head * (kill - 1) / 5..head * kill / 5);
        relayed.published(after).await;
        relay.kill().await;
    }
    let _relay = Process::relay(&settings).await;
    relayed.published(head).await;
    assert_complete(&relayed, &topics).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_leads_and_another_takes_over() {
    let mut relayed = RelayedLog::new().await;
    let topics = Topics::of(&relayed.settings.kafka);
    let mut relays: Vec<_> = (0..3).map(|_| relayed.relay()).collect();
    let head = relayed.append(1000).await;
    let leader = any_confirms(&mut relays, head).await;
    let epochs: BTreeSet<_> = topics
        .records()
        .await
        .values()
        .flatten()
        .map(|record| header(record, "ce_epoch").to_owned())
        .collect();
    assert_eq!(epochs.len(), 1, "two relays published: {epochs:?}");

    relays.remove(leader).stop().await;
    let head = relayed.append(1000).await;
    let leader = any_confirms(&mut relays, head).await;
    relays.remove(leader).kill().await;
    let head = relayed.append(1000).await;
    any_confirms(&mut relays, head).await;
    assert_complete(&relayed, &topics).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_pages_are_published_at_once_and_short_ones_once_an_interval() {
    let mut relayed = RelayedLog::new().await;
    let _topics = Topics::of(&relayed.settings.kafka);
    let mut relay = relayed.relay_with(relay::Settings {
        page_interval: Duration::from_hours(1),
        ..relayed.settings.clone()
    });
    let pages = 5 * usize::try_from(relayed.settings.page_size).unwrap();
    let head = relayed.append(pages).await;
    relay.confirms(head).await;
    // The first two after a pause do not wait.
    for _ in 0..2 {
        let head = relayed.append(10).await;
        relay.confirms(head).await;
    }
    let head = relayed.append(10).await;
    let published = relay.confirmed.wait_for(|confirmed| *confirmed >= head);
    assert!(timeout(Duration::from_secs(1), published).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_topic_is_published_again() {
    let mut relayed = RelayedLog::new().await;
    let topics = Topics::of(&relayed.settings.kafka);
    let mut relay = relayed.relay();
    let head = relayed.append(500).await;
    relay.confirms(head).await;
    topics.delete("auction").await;
    relayed.append(500).await;
    while !defects(&relayed.log, &topics.records().await)
        .await
        .is_empty()
    {
        within(relay.confirmed.changed()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_progress_costs_nothing() {
    let mut relayed = RelayedLog::new().await;
    let topics = Topics::of(&relayed.settings.kafka);
    relayed.append(500).await;
    for wrong in [
        // This looks as if the broker had lost records that it acknowledged.
        "update relay_partitions set next_offset = next_offset + 1000",
        "update relay_partitions set next_offset = -7",
        "update relay_partitions set next_offset = 0, position = 0",
        "update relay_partitions set next_offset = greatest(next_offset - 3, 0)",
        "update relay_partitions set position = position + 1",
        "delete from relay_partitions",
    ] {
        let head = relayed.append(100).await;
        let mut relay = relayed.relay();
        relay.confirms(head).await;
        relay.stop().await;
        assert_complete(&relayed, &topics).await;
        relayed.tamper(wrong).await;
    }
    let head = relayed.append(100).await;
    relayed.relay().confirms(head).await;
    assert_complete(&relayed, &topics).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_of_another_log_are_not_touched() {
    let mut ours = RelayedLog::new().await;
    let topics = Topics::of(&ours.settings.kafka);
    let head = ours.append(500).await;
    let mut relay = ours.relay();
    relay.confirms(head).await;
    relay.stop().await;
    let before = topics.records().await;

    // Their log holds other events at the same positions, and more of them.
    let mut theirs = RelayedLog::new().await;
    theirs.append(700).await;
    let mut relay = theirs.relay_with(ours.settings.clone());
    relay.becomes(Health::Alarm).await;
    relay.stop().await;
    // This log ends before the positions that were published.
    let empty = RelayedLog::new().await;
    let mut relay = empty.relay_with(ours.settings.clone());
    relay.becomes(Health::Alarm).await;
    relay.stop().await;

    let count = |records: &super::topics::Records| records.values().map(Vec::len).sum::<usize>();
    assert_eq!(count(&topics.records().await), count(&before));
    assert_complete(&ours, &topics).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_number_of_partitions_stops_it() {
    let mut relayed = RelayedLog::new().await;
    let topics = Topics::of(&relayed.settings.kafka);
    topics.create(3).await;
    relayed.append(10).await;
    let mut relay = relayed.relay();
    relay.becomes(Health::Alarm).await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_set_back_under_it_stops_it() {
    let mut relayed = RelayedLog::new().await;
    let _topics = Topics::of(&relayed.settings.kafka);
    relayed.append(50).await;
    relayed.database.back_up().await;
    let head = relayed.append(50).await;
    let mut relay = relayed.relay();
    relay.confirms(head).await;
    relayed.database.restore("events|log_head", "").await;
    relay.becomes(Health::Alarm).await;
    relay.stop().await;
}
