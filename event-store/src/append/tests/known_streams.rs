//! Streams of which an executor knows the version are looked up only once another executor has appended.

use super::*;

/// A group that writes one event, and says of a stream that it has this version.
fn reading(written: Uuid, version: i64, known: (Uuid, i64)) -> Group {
    Group {
        streams: Vec::new(),
        known_streams: vec![(written, version - 1), known],
        ..group(written, version..=version)
    }
}

/// The same with a group beside it, which makes it a batch that is not appended in the short way.
fn beside(first: Group) -> Vec<Group> {
    vec![first, group(stream(99), 1..=1)]
}

async fn append(executor: &mut Executor, known_head: i64, groups: Vec<Group>) -> Appended {
    executor.batch += 1;
    let conditions = Conditions {
        valid: None,
        known_head: Some(known_head),
    };
    let outcome = executor.appender.append(executor.batch, conditions, groups);
    let AppendOutcome::Appended(appended) = outcome.await.unwrap() else {
        panic!("the batch was not appended");
    };
    appended
}

#[tokio::test]
async fn nothing_known_is_looked_up_while_the_log_ends_where_it_did() {
    let mut executor = Executor::new("known").await;
    let (one, other) = (stream(10), stream(11));
    executor.writes(vec![group(one, 1..=1)]).await;
    // The wrong version of the other stream would be a conflict if it was looked up.
    let appended = append(&mut executor, 1, vec![reading(one, 2, (other, 7))]).await;
    assert_eq!((appended.head, appended.conflicts), (1, vec![]));
    let appended = append(&mut executor, 2, beside(reading(one, 3, (other, 7)))).await;
    assert_eq!((appended.head, appended.conflicts), (2, vec![]));
    assert_eq!(executor.events().await.len(), 4);
}

#[tokio::test]
async fn what_is_not_known_is_looked_up_although_the_log_ends_where_it_did() {
    let mut executor = Executor::new("unknown").await;
    let (one, other) = (stream(10), stream(11));
    executor.writes(vec![group(one, 1..=1)]).await;
    let wrong = || Group {
        streams: vec![(other, 7)],
        known_streams: vec![(one, 1)],
        ..group(one, 2..=2)
    };
    for groups in [vec![wrong()], beside(wrong())] {
        let appended = append(&mut executor, 1, groups).await;
        let moved =
            |conflict: &Conflict| matches!(conflict, Conflict::Stream { id, .. } if *id == other);
        assert!(appended.conflicts.iter().all(moved), "{appended:?}");
        assert_eq!(appended.conflicts.len(), 1);
    }
    assert_eq!(executor.events().await, [(1, one, 1), (2, stream(99), 1)]);
}

#[tokio::test]
async fn everything_is_looked_up_once_another_executor_has_appended() {
    let mut executor = Executor::new("foreign").await;
    let (one, other) = (stream(10), stream(11));
    executor.writes(vec![group(one, 1..=1)]).await;
    let foreign = Appender::register(&executor.pool, stream(2)).await.unwrap();
    let outcome = foreign.append(1, Conditions::default(), vec![group(other, 1..=1)]);
    assert!(
        matches!(outcome.await.unwrap(), AppendOutcome::Appended(done) if done.conflicts.is_empty())
    );
    for groups in [
        vec![reading(one, 2, (other, 0))],
        beside(reading(one, 2, (other, 0))),
    ] {
        let appended = append(&mut executor, 1, groups).await;
        assert_eq!(appended.conflicts.len(), 1, "{appended:?}");
        assert!(
            matches!(&appended.conflicts[0], Conflict::Stream { group: 0, id, unseen } if *id == other && unseen.len() == 1)
        );
    }
    let right = append(&mut executor, 1, vec![reading(one, 2, (other, 1))]).await;
    assert_eq!(right.conflicts, []);
}

#[tokio::test]
async fn an_executor_that_knows_all_conflicts_with_a_record_that_is_there() {
    let mut executor = Executor::new("known_record").await;
    let one = stream(10);
    let keyed = |version| Group {
        idempotency_records: vec![record("a", Some(201), Some(0))],
        ..reading(one, version, (one, version - 1))
    };
    assert_eq!(append(&mut executor, 0, vec![keyed(1)]).await.conflicts, []);
    let again = append(&mut executor, 1, vec![keyed(2)]).await;
    assert!(matches!(
        &again.conflicts[..],
        [Conflict::IdempotencyRecord { group: 0, .. }]
    ));
    // The number of the refused batch is used up, and the next one is written.
    let next = append(&mut executor, 1, vec![reading(one, 2, (one, 1))]).await;
    assert_eq!(next.conflicts, []);
    assert_eq!(executor.events().await, [(1, one, 1), (2, one, 2)]);
    assert_eq!(executor.rows(RECORDS).await, ["a 1"]);
}
