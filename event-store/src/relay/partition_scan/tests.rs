use tidemark_events::{Recorded, samples};

use super::*;

const SAVED: PartitionProgress = PartitionProgress {
    position: 7,
    next_offset: 3,
    adopted_until: 0,
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
        timeline: 1,
    }
}

/// Gives records to a scan, from its first offset on: (previous, position) of each.
fn read(mut scan: PartitionScan, records: &[(i64, i64)]) -> PartitionScan {
    for (offset, (previous, position)) in (scan.next_offset..).zip(records) {
        scan.observe(offset, Some(&record(*previous, *position)));
    }
    scan
}

fn progress(position: i64, next_offset: i64) -> PartitionProgress {
    PartitionProgress {
        position,
        next_offset,
        adopted_until: 0,
    }
}

#[test]
fn records_delivered_after_the_last_save_are_found() {
    let scan = read(
        PartitionScan::from_saved(Some(SAVED), 0, 5),
        &[(4, 7), (7, 9), (9, 12)],
    );
    assert!(scan.is_complete() && !scan.is_other_topic());
    assert_eq!(
        (scan.progress(), scan.publish_after(8)),
        (progress(12, 5), 8)
    );
}

#[test]
fn a_record_repeated_by_a_zombie_is_ignored() {
    let scan = read(
        PartitionScan::from_saved(Some(SAVED), 0, 5),
        &[(4, 7), (7, 9), (4, 7)],
    );
    assert_eq!(scan.progress(), progress(9, 4));
}

#[test]
fn progress_ends_before_a_gap() {
    let scan = read(
        PartitionScan::from_saved(Some(SAVED), 0, 4),
        &[(4, 7), (9, 12)],
    );
    assert_eq!(scan.progress(), SAVED);
}

#[test]
fn a_new_topic_of_the_same_name_is_noticed() {
    assert!(read(PartitionScan::from_saved(Some(SAVED), 0, 9), &[(1, 2)]).is_other_topic());
}

#[test]
fn a_partition_that_ends_before_the_saved_offset_is_read_from_its_beginning() {
    let scan = read(
        PartitionScan::from_saved(Some(SAVED), 0, 2),
        &[(0, 1), (1, 4)],
    );
    assert_eq!(
        (scan.progress(), scan.publish_after(8)),
        (progress(4, 2), 4)
    );
}

#[test]
fn an_empty_topic_is_published_from_the_start() {
    let scan = PartitionScan::from_saved(Some(SAVED), 0, 0);
    assert_eq!(
        (scan.progress(), scan.publish_after(8)),
        (progress(0, 0), 0)
    );
}

#[test]
fn an_unused_partition_makes_nothing_published_again() {
    let scan = PartitionScan::from_saved(Some(PartitionProgress::default()), 0, 0);
    assert_eq!(
        (scan.progress(), scan.publish_after(8)),
        (progress(0, 0), 8)
    );
}

#[test]
fn records_deleted_by_retention_are_not_published_again() {
    let all = PartitionScan::from_saved(Some(SAVED), 3, 3);
    assert_eq!((all.progress(), all.publish_after(8)), (SAVED, 8));
    let unknown = read(PartitionScan::from_saved(None, 2, 4), &[(4, 7), (7, 9)]);
    assert_eq!(unknown.progress(), progress(9, 4));
}

#[test]
fn records_that_are_no_events_are_counted_and_prove_nothing() {
    let mut scan = PartitionScan::from_beginning(0, 3);
    scan.observe(0, Some(&record(0, 7)));
    scan.observe(1, None);
    scan.observe(2, None);
    assert!(scan.is_complete());
    let last = scan.last_record().unwrap();
    assert_eq!((last.offset, last.position, scan.foreign()), (0, 7, 2));
}

#[test]
fn what_was_adopted_is_not_read_again() {
    let adopted = PartitionProgress::behind(7, 5);
    let scan = PartitionScan::from_saved(Some(adopted), 0, 5);
    assert!(scan.is_complete());
    assert_eq!((scan.progress(), scan.publish_after(8)), (adopted, 8));
    let scan = read(PartitionScan::from_saved(Some(adopted), 0, 6), &[(7, 9)]);
    assert!(!scan.is_other_topic());
    assert_eq!(scan.progress(), adopted.advanced(9, 6));
}

#[test]
fn without_a_position_all_behind_what_was_adopted_is_published_again() {
    let adopted = PartitionProgress::behind(7, 5);
    let scan = PartitionScan::without_position(Some(adopted), 0, 6);
    let scan = read(scan, &[(7, 9)]);
    assert_eq!(scan.progress(), PartitionProgress::behind(0, 5));
    assert_eq!(scan.publish_after(8), 0);
    // It was replaced by a shorter one, or has lost what was adopted.
    for (oldest, newest) in [(0, 4), (5, 6)] {
        let scan = PartitionScan::without_position(Some(adopted), oldest, newest);
        assert_eq!(scan.next_offset, oldest);
        assert_eq!(scan.progress().adopted_until, 0);
    }
}

#[test]
fn a_scan_is_complete_at_the_end_that_the_partition_had() {
    let scan = PartitionScan::from_saved(Some(SAVED), 0, 4);
    assert!(!scan.is_complete());
    assert_eq!(scan.last_record(), None);
    let scan = read(scan, &[(4, 7)]);
    assert!(!scan.is_complete());
    let scan = read(scan, &[(7, 9)]);
    assert!(scan.is_complete());
    let last = scan.last_record().map(|it| (it.offset, it.position));
    assert_eq!(last, Some((3, 9)));
}
