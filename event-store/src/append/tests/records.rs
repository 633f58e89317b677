//! Idempotency records that exist already when a batch is appended.

use super::*;
use crate::IdempotencyRecord;

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

#[tokio::test]
async fn a_record_that_was_seen_is_not_removed_before_the_append_is_answered() {
    let mut executor = Executor::new("record_seen").await;
    let keyed = Group {
        idempotency_records: vec![record("a", Some(201), Some(0))],
        ..group(stream(10), 1..=1)
    };
    executor.writes(vec![keyed]).await;
    let mut appending = executor.pool.begin().await.unwrap();
    let groups: Vec<i32> = sqlx::query_scalar("select groups_with_records(array[3], array[$1])")
        .bind(RecordId::of("service:1", "a").0)
        .fetch_one(&mut *appending)
        .await
        .unwrap();
    assert_eq!(groups, [3]);
    assert_eq!(executor.remove_all_records().await, 0);
    appending.commit().await.unwrap();
    assert_eq!(executor.remove_all_records().await, 1);
}

#[tokio::test]
async fn a_record_that_is_removed_while_a_batch_is_written_takes_no_room_any_more() {
    let mut executor = Executor::new("record_removed").await;
    let keyed = |number| Group {
        idempotency_records: vec![record("a", Some(201), Some(0))],
        ..group(stream(number), 1..=1)
    };
    executor.writes(vec![keyed(10)]).await;
    // After the record was in the way, and before it is looked up.
    let removal = "
        alter function groups_with_records rename to groups_with_kept_records;
        create function groups_with_records(i_group integer[], i_id uuid[]) returns integer[] language sql as $$
            delete from idempotency_records;
            select groups_with_kept_records(i_group, i_id)
        $$;";
    sqlx::raw_sql(removal)
        .execute(&executor.pool)
        .await
        .unwrap();
    executor.writes(vec![keyed(11)]).await;
    assert_eq!(executor.rows(RECORDS).await, ["a 2"]);
    let written = vec![(1, stream(10), 1), (2, stream(11), 1)];
    assert_eq!(executor.events().await, written);
}

impl Executor {
    /// How many records one step removes if none is kept.
    async fn remove_all_records(&self) -> i64 {
        let step = IdempotencyRecord::remove_expired(&self.pool, Duration::ZERO, None, 100);
        step.await.unwrap().removed
    }
}
