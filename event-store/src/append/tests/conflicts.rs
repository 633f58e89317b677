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
