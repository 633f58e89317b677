//! What the answer tells of the streams that moved.

use super::*;

/// A group that says of a stream that it has this version, and writes nothing.
fn read_at(id: Uuid, version: i64) -> Group {
    Group {
        streams: vec![(id, version)],
        ..Group::default()
    }
}

#[tokio::test]
async fn however_many_groups_read_a_stream_its_events_are_told_once() {
    let mut executor = Executor::new("told_once").await;
    let (one, other) = (stream(10), stream(11));
    executor
        .writes(vec![group(one, 1..=5), group(other, 1..=2)])
        .await;
    let appended = executor
        .append(vec![
            read_at(one, 5),
            read_at(one, 4),
            read_at(other, 1),
            read_at(one, 2),
            read_at(one, 4),
            read_at(other, 1),
        ])
        .await;
    let told: Vec<_> = appended
        .conflicts
        .iter()
        .map(|conflict| {
            let Conflict::Stream { group, id, unseen } = conflict else {
                panic!("{conflict:?}");
            };
            let versions: Vec<_> = unseen.iter().map(|event| event.version).collect();
            (*group, *id, versions)
        })
        .collect();
    // What the third group of those that read it has not seen is told with the first of them.
    let expected = [
        (1, one, vec![3, 4, 5]),
        (2, other, vec![2]),
        (3, one, vec![]),
        (4, one, vec![]),
        (5, other, vec![]),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn what_is_told_of_all_streams_together_is_bounded() {
    const STREAMS: u128 = 40;
    const VERSIONS: i64 = 200;
    const TOLD_MAX: usize = 256 * 1024;
    let mut executor = Executor::new("told_bounded").await;
    for number in 0..STREAMS {
        executor
            .writes(vec![group(stream(100 + number), 1..=VERSIONS)])
            .await;
    }
    let reads = (0..STREAMS).map(|number| read_at(stream(100 + number), 0));
    let appended = executor.append(reads.collect()).await;
    assert_eq!(appended.conflicts.len(), 40);
    let told = appended.conflicts.iter().filter(
        |conflict| matches!(conflict, Conflict::Stream { unseen, .. } if unseen.len() == 200),
    );
    let bytes_of_one = 200 * happened(stream(100)).encode().unwrap().data.len();
    assert_eq!(told.count(), TOLD_MAX / bytes_of_one);
}

#[tokio::test]
async fn only_who_has_to_decide_again_goes_next() {
    let mut executor = Executor::new("goes_next").await;
    let other = Appender::register(&executor.pool, stream(2)).await.unwrap();
    let keyed = || Group {
        idempotency_records: vec![record("a", Some(201), Some(0))],
        ..group(stream(10), 1..=1)
    };
    executor.writes(vec![keyed()]).await;
    for (batch, groups, contender) in [
        (1, vec![keyed()], None),
        (2, vec![keyed(), read_at(stream(10), 0)], Some(stream(2))),
    ] {
        let outcome = other.append(batch, Conditions::default(), groups).await;
        assert!(
            matches!(outcome.unwrap(), AppendOutcome::Appended(done) if !done.conflicts.is_empty())
        );
        let known: Option<Uuid> = sqlx::query_scalar("select contender from log_head")
            .fetch_one(&executor.pool)
            .await
            .unwrap();
        assert_eq!(known, contender, "after batch {batch}");
    }
}
