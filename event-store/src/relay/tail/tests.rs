use tidemark_events::{Recorded, samples};

use super::*;

const SAVED: Place = Place {
    position: 7,
    next_offset: 3,
};

fn record(previous: i64, position: i64) -> Record {
    Record {
        event: Recorded {
            position,
            event_id: Uuid::from_u128(1),
            stream_id: Uuid::from_u128(2),
            version: 1,
            aggregate: "user".to_owned(),
            event_type: "user.registered".to_owned(),
            schema_version: 1,
            data: "{}".to_owned(),
            metadata: "{}".to_owned(),
            recorded_at: samples::at(0),
        },
        previous,
    }
}

/// Reads records, given as (previous, position), from where the tail begins.
fn read(mut tail: Tail, records: &[(i64, i64)]) -> Tail {
    for (offset, (previous, position)) in (tail.next..).zip(records) {
        tail.observe(offset, Some(&record(*previous, *position)));
    }
    tail
}

fn place(position: i64, next_offset: i64) -> Place {
    Place {
        position,
        next_offset,
    }
}

#[test]
fn what_was_delivered_after_the_last_save_is_found() {
    let tail = read(
        Tail::from_saved(Some(SAVED), 0, 5),
        &[(4, 7), (7, 9), (9, 12)],
    );
    assert!(tail.is_read() && !tail.is_foiled());
    assert_eq!((tail.place(), tail.resume(8)), (place(12, 5), 8));
}

#[test]
fn a_zombies_repetition_moves_nothing() {
    let tail = read(
        Tail::from_saved(Some(SAVED), 0, 5),
        &[(4, 7), (7, 9), (4, 7)],
    );
    assert_eq!(tail.place(), place(9, 4));
}

#[test]
fn what_follows_a_gap_is_published_again() {
    let tail = read(Tail::from_saved(Some(SAVED), 0, 4), &[(4, 7), (9, 12)]);
    assert_eq!(tail.place(), SAVED);
}

#[test]
fn another_topic_of_the_same_name_is_noticed() {
    assert!(read(Tail::from_saved(Some(SAVED), 0, 9), &[(1, 2)]).is_foiled());
}

#[test]
fn an_end_before_the_saved_offset_reads_everything() {
    let tail = read(Tail::from_saved(Some(SAVED), 0, 2), &[(0, 1), (1, 4)]);
    assert_eq!((tail.place(), tail.resume(8)), (place(4, 2), 4));
}

#[test]
fn an_empty_topic_is_published_from_the_start() {
    let tail = Tail::from_saved(Some(SAVED), 0, 0);
    assert_eq!((tail.place(), tail.resume(8)), (place(0, 0), 0));
}

#[test]
fn an_unused_partition_is_trusted() {
    let tail = Tail::from_saved(Some(Place::default()), 0, 0);
    assert_eq!((tail.place(), tail.resume(8)), (place(0, 0), 8));
}

#[test]
fn records_deleted_by_retention_are_no_loss() {
    let all = Tail::from_saved(Some(SAVED), 3, 3);
    assert_eq!((all.place(), all.resume(8)), (SAVED, 8));
    let unknown = read(Tail::from_saved(None, 2, 4), &[(4, 7), (7, 9)]);
    assert_eq!(unknown.place(), place(9, 4));
}
