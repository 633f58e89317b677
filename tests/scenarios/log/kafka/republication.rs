//! An operator has the log published again.

use std::collections::BTreeSet;

use tidemark_event_store::relay::Health;
use tidemark_tests::eventually;
use tidemark_tests::records::{Defects, position};

use super::feed::Reader;
use super::relayed_log::RelayedLog;
use super::topics::{Records, Topics, defects, header};

fn count(records: &Records) -> i64 {
    let records = records.values().map(Vec::len).sum::<usize>();
    i64::try_from(records).unwrap()
}

/// Fails unless each record continues the event before it in its partition.
fn assert_continuous(records: &Records) {
    for (partition, messages) in records {
        let positions: BTreeSet<_> = messages.iter().map(position).collect();
        for message in messages {
            let at = position(message);
            let expected = positions.range(..at).next_back().copied().unwrap_or(0);
            let previous = header(message, "ce_previous");
            assert_eq!(previous, expected.to_string(), "{partition:?} at {at}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_relay_publishes_the_log_again_once() {
    let mut relayed = RelayedLog::new().await;
    let topics = Topics::of(&relayed.settings.kafka);
    let mut relay = relayed.relay();
    let head = relayed.append(100).await;
    relay.confirms(head).await;
    let mut reader = Reader::new(&relayed.log, &relayed.settings.kafka);
    reader.reads(head).await;

    let from = 41;
    let asked_at = relayed.republish(from).await;
    // The request itself may have been published by the term that noticed it.
    let again = head + (head - from + 1) + 1;
    eventually("the log to be published again", || async {
        let (_, requests) = relayed.alarm_and_requests().await;
        let count = count(&topics.records().await);
        (requests == 0 && count >= again).then_some(())
    })
    .await;
    relay.stop().await;
    let mut relay = relayed.relay();
    let head = relayed.append(10).await;
    relay.confirms(head).await;
    relay.becomes(Health::Healthy).await;
    let records = topics.records().await;
    let times = |at| {
        records
            .values()
            .flatten()
            .filter(|it| position(it) == at)
            .count()
    };
    for at in 1..=head {
        let expected = if (from..asked_at).contains(&at) { 2 } else { 1 };
        assert!(times(at) == expected || at == asked_at, "position {at}");
    }
    assert_continuous(&records);
    let events = relayed.log.page(0, i64::MAX).await.unwrap();
    let defects = Defects::of(&events, &records);
    assert_eq!((defects.lost, defects.differing), (vec![], vec![]));
    reader.reads(head).await;
    reader.assert_is(&relayed.log).await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_published_again_from_beyond_the_log() {
    let mut relayed = RelayedLog::new().await;
    let topics = Topics::of(&relayed.settings.kafka);
    let mut relay = relayed.relay();
    let head = relayed.append(100).await;
    relay.confirms(head).await;
    relayed.republish(i64::MAX).await;
    eventually("the request to be done", || async {
        let (_, requests) = relayed.alarm_and_requests().await;
        (requests == 0).then_some(())
    })
    .await;
    let head = relayed.append(10).await;
    relay.confirms(head).await;
    relay.stop().await;
    let records = topics.records().await;
    assert_eq!(defects(&relayed.log, &records).await, Vec::<String>::new());
    let adopted = "select max(adopted_until) from relay_partitions";
    let adopted = sqlx::query_scalar::<_, i64>(adopted).fetch_one(&relayed.database.pool);
    assert_eq!(adopted.await.unwrap(), 0);
}
