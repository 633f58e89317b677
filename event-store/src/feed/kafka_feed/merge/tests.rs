use proptest::collection::vec;
use proptest::prelude::*;
use tidemark_events::samples;
use uuid::Uuid;

use super::*;

fn event(position: i64) -> Recorded {
    Recorded {
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
    }
}

/// Partitions, each with the positions of its records; 0 is a record that cannot be decoded.
struct Topics<'a>(&'a [&'a [i64]]);

struct Run {
    merge: Merge,
    given: Vec<i64>,
    dropped: usize,
    broken: usize,
}

impl Topics<'_> {
    fn ends(&self) -> Vec<i64> {
        self.0
            .iter()
            .map(|records| i64::try_from(records.len()).unwrap())
            .collect()
    }

    /// Reads what the merge wants, until it gives nothing more.
    fn run(&self, merge: Merge) -> Run {
        let mut run = Run {
            merge,
            given: Vec::new(),
            dropped: 0,
            broken: 0,
        };
        let mut read = vec![0; self.0.len()];
        loop {
            for (partition, records) in self.0.iter().enumerate() {
                while run.merge.wants(partition) && read[partition] < records.len() {
                    let offset = read[partition];
                    read[partition] += 1;
                    let record = (records[offset] > 0).then(|| event(records[offset]));
                    match run
                        .merge
                        .offer(partition, i64::try_from(offset).unwrap(), record)
                    {
                        Offer::Kept => {}
                        Offer::Dropped => run.dropped += 1,
                        Offer::Useless => run.broken += 1,
                    }
                }
            }
            let Some(event) = run.merge.take() else {
                return run;
            };
            run.given.push(event.position);
        }
    }
}

fn given(partitions: &[&[i64]]) -> Run {
    Topics(partitions).run(Merge::new(0, &vec![0; partitions.len()]))
}

#[test]
fn uneven_partitions_are_merged_in_the_order_of_the_log() {
    assert_eq!(
        given(&[&[1, 2, 3, 7, 8], &[5], &[4, 6]]).given,
        [1, 2, 3, 4, 5, 6, 7, 8]
    );
}

#[test]
fn events_published_twice_are_given_once() {
    let run = given(&[&[1, 3, 1, 3, 4], &[2, 2]]);
    assert_eq!(
        (run.given.as_slice(), run.dropped),
        ([1, 2, 3, 4].as_slice(), 3)
    );
}

#[test]
fn a_partition_is_not_read_while_an_event_of_it_waits() {
    let run = given(&[&[2, 3, 4], &[]]);
    assert!(run.given.is_empty() && !run.merge.wants(0) && run.merge.wants(1));
}

#[test]
fn a_gap_is_missing_only_once_every_partition_is_past_it() {
    let partitions: &[&[i64]] = &[&[1, 4], &[5]];
    let run = given(partitions);
    assert_eq!(run.given, [1]);
    // What is not confirmed may still come, as may records that were not read yet.
    assert_eq!(run.merge.missing(1, &Topics(partitions).ends()), None);
    assert_eq!(run.merge.missing(5, &Topics(partitions).ends()), Some(3));
    assert_eq!(run.merge.missing(2, &Topics(partitions).ends()), Some(2));
    let silent = given(&[&[1, 4], &[]]);
    assert_eq!(silent.merge.missing(5, &[2, 1]), None);
}

#[test]
fn records_in_reverse_order_are_missing_and_then_dropped() {
    let partitions: &[&[i64]] = &[&[1, 4, 3, 2, 5]];
    let mut run = given(partitions);
    assert_eq!(run.merge.missing(5, &Topics(partitions).ends()), Some(3));
    assert_eq!(run.merge.skip_to(3), 0);
    assert_eq!(run.merge.take().map(|event| event.position), Some(4));
    assert_eq!(run.merge.offer(0, 2, Some(event(3))), Offer::Dropped);
}

#[test]
fn the_event_of_a_broken_record_is_missing() {
    let run = given(&[&[1, 0, 3]]);
    assert_eq!((run.broken, run.merge.missing(3, &[3])), (1, Some(2)));
}

#[test]
fn an_event_that_waits_and_was_given_from_the_log_is_dropped() {
    let mut run = given(&[&[3], &[5]]);
    assert_eq!(run.merge.skip_to(4), 1);
    assert_eq!(run.merge.take().map(|event| event.position), Some(5));
    assert_eq!(run.merge.last_position(), 5);
}

#[test]
fn events_that_the_log_does_not_have_are_forgotten_and_their_partitions_read_on() {
    let mut run = given(&[&[1, 3], &[2, 9], &[i64::MAX]]);
    assert_eq!(run.given, [1, 2, 3]);
    assert_eq!(run.merge.drop_beyond(2), 2);
    assert_eq!(run.merge.last_position(), 2);
    assert!((0..3).all(|partition| run.merge.wants(partition)));
    assert_eq!(run.merge.offer(1, 2, Some(event(3))), Offer::Kept);
}

proptest! {
    /// However records are spread, lost, repeated and reordered: if missing events come from the log,
    /// each position is given once and in order.
    #[test]
    fn every_position_is_given_once_and_in_order(
        partitions in vec(vec(0..60_i64, 0..40), 1..5),
    ) {
        const HEAD: i64 = 60;
        let slices: Vec<&[i64]> = partitions.iter().map(Vec::as_slice).collect();
        let ends = Topics(&slices).ends();
        let mut merge = Merge::new(0, &vec![0; slices.len()]);
        let mut read = vec![0; slices.len()];
        let mut given = Vec::new();
        while merge.last_position() < HEAD {
            for (partition, records) in slices.iter().enumerate() {
                while merge.wants(partition) && read[partition] < records.len() {
                    let offset = read[partition];
                    read[partition] += 1;
                    let record = (records[offset] > 0).then(|| event(records[offset]));
                    merge.offer(partition, i64::try_from(offset).unwrap(), record);
                }
            }
            if let Some(event) = merge.take() {
                given.push(event.position);
            } else {
                let until = merge.missing(HEAD, &ends).expect("everything was read");
                given.extend(merge.last_position() + 1..=until);
                merge.skip_to(until);
            }
        }
        prop_assert_eq!(given, (1..=HEAD).collect::<Vec<_>>());
    }
}
