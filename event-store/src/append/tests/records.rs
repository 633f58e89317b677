//! Idempotency records that exist already when a batch is appended.

use super::*;

#[tokio::test]
async fn groups_beside_one_whose_record_is_there_are_written_as_if_they_were_alone() {
    let mut executor = Executor::new("some_records").await;
    let keyed = |number, key: &str, status: Option<i16>| {
        let events = group(stream(number), 1..=1);
        let last_event = status.map(|_| 0);
        Group {
            idempotency_records: vec![record(key, status, last_event)],
            events: if status.is_some() {
                events.events
            } else {
                Vec::new()
            },
            ..events
        }
    };
    executor.writes(vec![keyed(10, "a", Some(201))]).await;
    // One that is to be written shows when it is written; one of a refused command has to be looked for.
    for (repeated, numbers) in [(Some(201), [20, 21, 22]), (None, [30, 31, 32])] {
        let keys = numbers.map(|number| number.to_string());
        let groups = vec![
            keyed(numbers[0], &keys[0], Some(201)),
            keyed(numbers[1], "a", repeated),
            keyed(numbers[2], &keys[2], Some(201)),
        ];
        let appended = executor.append(groups).await;
        assert!(matches!(
            &appended.conflicts[..],
            [Conflict::IdempotencyRecord { group: 1, record }] if record.position == 1
        ));
    }
    let written = [10, 20, 22, 30, 32].map(stream);
    let written = (1..).zip(written).map(|(position, id)| (position, id, 1));
    assert_eq!(executor.events().await, written.collect::<Vec<_>>());
    let records = ["20 2", "22 3", "30 4", "32 5", "a 1"];
    assert_eq!(executor.rows(RECORDS).await, records);
}

#[tokio::test]
async fn a_batch_that_holds_a_record_twice_is_an_error_that_leaves_nothing() {
    let executor = Executor::new("twice").await;
    let keyed = |number| Group {
        idempotency_records: vec![record("a", Some(201), Some(0))],
        ..group(stream(number), 1..=1)
    };
    let groups = vec![keyed(10), keyed(11)];
    let twice = executor.appender.append(1, Conditions::default(), groups);
    let error = twice.await.unwrap_err();
    let error = error.as_database_error().expect("an error of the database");
    assert!(error.is_unique_violation());
    assert_eq!(executor.events().await, []);
}
