//! What a worker does with events and rows that it cannot apply, and when another worker runs too.

use std::sync::atomic::Ordering;

use tidemark_read_models::storage::StorageError;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::following::follow::follow;
use crate::following::ring::Ring;
use crate::following::source::Source;
use crate::testing::{FAILING_CATEGORY, IS_FAILING};

#[tokio::test]
async fn rows_folded_before_an_event_that_fails_are_written() {
    let database = Database::new("fails_later").await;
    let mut worker = worker(&database);
    let first = database.append_shared(vec![activated(1, CATEGORY)]).await;
    let newer = Recorded {
        schema_version: 99,
        ..activated(3, CATEGORY)
    };
    let second = database
        .append_shared(vec![activated(2, CATEGORY), newer])
        .await;
    let position = worker.start().await.unwrap();
    worker
        .apply(position, &page_with_more(&first))
        .await
        .unwrap();
    let applied = worker.apply(at(1), &page_with_more(&second)).await.unwrap();
    assert_eq!(
        (applied.point.position, applied.blocked_by.is_some()),
        (2, true)
    );
    worker
        .block(at(2), "by a newer build's event")
        .await
        .unwrap();
    assert_eq!(database.rows("tally").await[&CATEGORY.0], count(2, 2));
}

#[tokio::test]
async fn of_two_workers_on_one_checkpoint_the_slower_one_starts_again() {
    let database = Database::new("fenced").await;
    let (mut zombie, mut successor) = (worker(&database), worker(&database));
    zombie.start().await.unwrap();
    successor.start().await.unwrap();
    let events = database
        .append_shared(vec![
            activated(1, CATEGORY),
            activated(2, CATEGORY),
            activated(3, CATEGORY),
        ])
        .await;
    zombie.apply(at(0), &page(&events[..1])).await.unwrap();
    successor.start().await.unwrap();
    successor.apply(at(1), &page(&events[1..2])).await.unwrap();

    let fenced = zombie.apply(at(1), &page(&events[1..])).await;
    assert!(matches!(
        fenced,
        Err(SubscriberError::Storage(StorageError::Fenced {
            position: 1,
            ..
        }))
    ));
    let blocked = zombie.block(at(1), "by a zombie").await;
    assert!(matches!(
        blocked,
        Err(SubscriberError::Storage(StorageError::Fenced { .. }))
    ));
    let position = zombie.start().await.unwrap();
    zombie.apply(position, &page(&events[2..])).await.unwrap();
    assert_eq!(database.rows("tally").await[&CATEGORY.0], count(3, 3));
}

#[tokio::test]
async fn a_failing_fold_blocks_until_it_succeeds() {
    let database = Database::new("failing_fold").await;
    let mut worker = worker(&database);
    let events = database
        .append_shared(vec![
            activated(1, CATEGORY),
            activated(2, FAILING_CATEGORY),
            activated(3, CATEGORY),
        ])
        .await;
    let position = worker.start().await.unwrap();
    IS_FAILING.store(true, Ordering::Relaxed);
    let applied = worker.apply(position, &page(&events)).await.unwrap();
    IS_FAILING.store(false, Ordering::Relaxed);
    assert_eq!(applied.point.position, 1, "the event before is applied");
    let reason = applied.blocked_by.unwrap().to_string();
    assert_eq!(reason, "the fold failed: on purpose");
    worker.block(at(1), &reason).await.unwrap();
    assert_eq!(database.checkpoint("tally").await, (1, Some(reason)));
    let expected = HashMap::from([(CATEGORY.0, count(1, 1)), (TOTAL, count(1, 1))]);
    assert_eq!(
        database.rows("tally").await,
        expected,
        "an event is applied to all its rows or none"
    );

    let position = worker.start().await.unwrap();
    worker.apply(position, &page(&events[1..])).await.unwrap();
    assert_eq!(database.checkpoint("tally").await, (3, None));
    assert_eq!(database.rows("tally").await[&TOTAL], count(3, 3));
}

#[tokio::test]
async fn a_worker_stops_at_an_event_that_needs_a_newer_build() {
    let database = Database::new("newer").await;
    let newer = Recorded {
        schema_version: 99,
        ..activated(2, CATEGORY)
    };
    database.append(&[activated(1, CATEGORY), newer]).await;
    let source = Source {
        ring: Arc::new(Ring::new(10, 1 << 20)),
        log: tidemark_event_store::Log::new(database.pool.clone()),
    };
    let settings = database.config(&[]).projection;
    follow(
        Box::new(worker(&database)),
        source,
        settings,
        None,
        CancellationToken::new(),
    )
    .await;
    let (position, blocked) = database.checkpoint("tally").await;
    assert_eq!(position, 1);
    assert!(blocked.unwrap().contains("schema version 99"));
}

#[tokio::test]
async fn a_row_that_cannot_be_read_blocks_the_worker() {
    let database = Database::new("unreadable").await;
    let row = "insert into tally_rows values (1, $1, '{\"count\":\"?\"}', 0)";
    sqlx::query(row)
        .bind(CATEGORY.0)
        .execute(&database.owner)
        .await
        .unwrap();
    let mut worker = worker(&database);
    worker.start().await.unwrap();
    let applied = worker
        .apply(at(0), &page(&[Arc::new(activated(1, CATEGORY))]))
        .await
        .unwrap();
    assert_eq!(applied.point.position, 0);
    assert!(
        applied
            .blocked_by
            .unwrap()
            .to_string()
            .contains("cannot be read")
    );
}

#[tokio::test]
async fn a_row_that_a_newer_build_has_written_is_left_to_it() {
    let database = Database::new("newer_row").await;
    let newer = r#"{"count":1,"since":"2026"}"#;
    sqlx::query("insert into tally_rows values (1, $1, $2::json, 0)")
        .bind(CATEGORY.0)
        .bind(newer)
        .execute(&database.owner)
        .await
        .unwrap();
    database.append(&[activated(1, CATEGORY)]).await;
    let source = Source {
        ring: Arc::new(Ring::new(10, 1 << 20)),
        log: tidemark_event_store::Log::new(database.pool.clone()),
    };
    let settings = database.config(&[]).projection;
    let worker = Box::new(worker(&database));
    follow(worker, source, settings, None, CancellationToken::new()).await;
    let (position, blocked) = database.checkpoint("tally").await;
    assert_eq!(position, 0);
    assert!(blocked.unwrap().contains("newer build"));
    assert_eq!(database.rows("tally").await[&CATEGORY.0].0, newer);
}
