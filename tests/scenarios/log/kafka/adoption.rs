//! Log and topics contradict each other, and an operator has the topics keep what they hold.

use std::collections::HashSet;

use tidemark_event_store::relay::Health;
use tidemark_tests::eventually;

use super::feed::Reader;
use super::foreign::in_place_of;
use super::relayed_log::{RelayedLog, RunningRelay};
use super::topics::{Records, Topics, defects, header};

/// A log that was set back after it had been published, and then went on under a new timeline; and a relay of it, which has
/// stopped.
async fn set_back() -> (RelayedLog, Topics, RunningRelay) {
    let (mut relayed, topics) = set_back_without_fork().await;
    relayed.fork().await;
    relayed.append(70).await;
    let mut relay = relayed.relay();
    relay.becomes(Health::Alarm).await;
    (relayed, topics, relay)
}

/// A log that was set back after it had been published.
async fn set_back_without_fork() -> (RelayedLog, Topics) {
    let mut relayed = RelayedLog::new().await;
    let topics = Topics::of(&relayed.settings.kafka);
    relayed.append(50).await;
    relayed.database.back_up().await;
    let head = relayed.append(50).await;
    let mut relay = relayed.relay();
    relay.confirms(head).await;
    relay.stop().await;
    relayed.set_back().await;
    (relayed, topics)
}

/// Waits until the relay has saved why it has stopped.
async fn alarm_is(relayed: &RelayedLog, reason: &str) {
    eventually("the reason to be saved", || async {
        let (alarm, _) = relayed.alarm_and_requests().await;
        alarm.filter(|alarm| alarm.contains(reason))
    })
    .await;
}

/// Those records whose events the log holds.
async fn in_log(relayed: &RelayedLog, mut records: Records) -> Records {
    let events = relayed.log.page(0, i64::MAX).await.unwrap();
    let ids: HashSet<_> = events.iter().map(|it| it.event_id.to_string()).collect();
    for messages in records.values_mut() {
        messages.retain(|message| ids.contains(header(message, "ce_id")));
    }
    records
}

/// Fails unless the topics still begin with these records, and hold every event of the log once and in order if the
/// records that are of no event of the log are passed over.
async fn assert_complete(relayed: &RelayedLog, topics: &Topics, before: &Records) {
    let records = topics.records().await;
    for (partition, messages) in before {
        let ids = |messages: &[_]| -> Vec<_> {
            let ids = messages.iter().map(|message| header(message, "ce_id"));
            ids.map(str::to_owned).collect()
        };
        assert_eq!(ids(&records[partition][..messages.len()]), ids(messages));
    }
    let records = in_log(relayed, records).await;
    assert_eq!(defects(&relayed.log, &records).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_published_behind_the_lost_future() {
    let (mut relayed, topics, mut relay) = set_back().await;
    let before = topics.records().await;
    let mut reader = Reader::new(&relayed.log, &relayed.settings.kafka);
    alarm_is(&relayed, "a record that is not in the log").await;

    let head = relayed.adopt().await;
    relay.confirms(head).await;
    relay.becomes(Health::Healthy).await;
    assert_eq!(relayed.alarm_and_requests().await, (None, 0));
    assert_complete(&relayed, &topics, &before).await;
    relay.stop().await;
    // Terms that end in either way are followed by one that compares nothing of what was adopted.
    for _ in 0..2 {
        let mut relay = relayed.relay();
        let head = relayed.append(3).await;
        relay.confirms(head).await;
        assert_eq!(relayed.alarm_and_requests().await, (None, 0));
        assert_complete(&relayed, &topics, &before).await;
        relay.kill().await;
    }
    reader.reads(relayed.database.head().await).await;
    reader.assert_is(&relayed.log).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_adopted_once_the_fork_is_declared() {
    let (mut relayed, topics) = set_back_without_fork().await;
    relayed.append(70).await;
    let before = topics.records().await;
    let mut relay = relayed.relay();
    relay.becomes(Health::Alarm).await;
    relayed.adopt().await;
    alarm_is(&relayed, "declare the fork first").await;
    let (_, requests) = relayed.alarm_and_requests().await;
    assert_eq!(requests, 1);
    let count = |records: &Records| records.values().map(Vec::len).sum::<usize>();
    assert_eq!(count(&topics.records().await), count(&before));

    relayed.fork().await;
    relay.becomes(Health::Healthy).await;
    let head = relayed.append(10).await;
    relay.confirms(head).await;
    assert_eq!(relayed.alarm_and_requests().await, (None, 0));
    assert_complete(&relayed, &topics, &before).await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_contradicts_the_log_after_an_adoption_stops_the_relay_again() {
    let (mut relayed, topics, mut relay) = set_back().await;
    let head = relayed.adopt().await;
    relay.confirms(head).await;
    relay.stop().await;
    let mut forged = topics.records().await;
    for messages in forged.values_mut() {
        *messages = messages.last().map(in_place_of).into_iter().collect();
    }
    topics.publish(forged).await;
    let mut relay = relayed.relay();
    relay.becomes(Health::Alarm).await;

    let before = topics.records().await;
    relayed.fork().await;
    let head = relayed.adopt().await;
    relay.confirms(head).await;
    assert_complete(&relayed, &topics, &before).await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_set_back_twice_is_adopted_twice() {
    let (mut relayed, topics, mut relay) = set_back().await;
    let head = relayed.adopt().await;
    relay.confirms(head).await;
    relayed.set_back().await;
    relay.becomes(Health::Alarm).await;
    // The log was set back to before the first fork, so that only the second one is above what the topics hold.
    for _ in 0..2 {
        relayed.fork().await;
    }
    relayed.append(10).await;
    let before = topics.records().await;
    let head = relayed.adopt().await;
    // What it has confirmed goes back with the log before it is healthy again.
    relay.becomes(Health::Healthy).await;
    relay.confirms(head).await;
    assert_complete(&relayed, &topics, &before).await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_replaced_after_an_adoption_is_published_anew() {
    let (mut relayed, topics, mut relay) = set_back().await;
    let head = relayed.adopt().await;
    relay.confirms(head).await;
    relay.stop().await;
    topics.delete("user").await;
    let head = relayed.append(10).await;
    let mut relay = relayed.relay();
    relay.confirms(head).await;
    relay.stop().await;
    let records = in_log(&relayed, topics.records().await).await;
    assert_eq!(defects(&relayed.log, &records).await, Vec::<String>::new());
}
