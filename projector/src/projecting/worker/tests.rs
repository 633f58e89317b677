//! What a worker promises of its rows and its checkpoint, on a real Postgres.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use sqlx::PgPool;
use tidemark_events::samples::CATEGORY;
use tidemark_events::{CategoryId, Recorded};
use tidemark_read_models::Shard;
use tidemark_read_models::storage::{GENERATION, StorageError};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::*;
use crate::following::follow::follow;
use crate::following::ring::Ring;
use crate::following::source::Source;
use crate::testing::{
    Database, POISON, POISONOUS, TOTAL, Tally, activated, deactivated, page, recorded,
};

fn worker(database: &Database) -> Worker<Tally> {
    shard_worker(database, Shard::ONLY)
}

fn shard_worker(database: &Database, shard: Shard) -> Worker<Tally> {
    let storage = Storage::new(
        PgPool::clone(&database.pool),
        database.config(&[]).database.response_timeout(),
        Tally::NAME,
        GENERATION,
        shard,
    );
    Worker::new(storage, &database.config(&[]).projection, None)
}

fn shared(events: Vec<Recorded>) -> Vec<Arc<Recorded>> {
    events.into_iter().map(Arc::new).collect()
}

fn count(count: u32, position: i64) -> (String, i64) {
    (format!(r#"{{"count":{count}}}"#), position)
}

const OTHER: CategoryId = CategoryId(Uuid::from_u128(12));

#[tokio::test]
async fn rows_and_checkpoint_move_together() {
    let database = Database::new("moves").await;
    let mut worker = worker(&database);
    assert_eq!(worker.start().await.unwrap(), 0);
    let first = shared(vec![
        activated(1, CATEGORY),
        recorded(2),
        activated(3, OTHER),
    ]);
    assert_eq!(worker.apply(0, &page(&first)).await.unwrap().position, 3);
    let unwanted = shared(vec![recorded(4)]);
    assert_eq!(worker.apply(3, &page(&unwanted)).await.unwrap().position, 4);
    let last = shared(vec![activated(5, CATEGORY), deactivated(6, OTHER)]);
    assert_eq!(worker.apply(4, &page(&last)).await.unwrap().position, 6);

    assert_eq!(database.checkpoint("tally").await, (6, None));
    let expected = HashMap::from([(CATEGORY.0, count(2, 5)), (TOTAL, count(4, 6))]);
    assert_eq!(database.rows("tally").await, expected);
    let stored = worker.storage.checkpoint().await.unwrap();
    assert_eq!((stored.position, stored.last_removal), (6, 6));
}

#[tokio::test]
async fn batches_of_any_size_give_the_same_rows() {
    let mut results = Vec::new();
    for (name, size) in [("size_1", 1), ("size_3", 3), ("size_99", 99)] {
        let database = Database::new(name).await;
        let events = (1..=20).map(|at| match at % 4 {
            0 => deactivated(at, OTHER),
            1 | 2 => activated(at, OTHER),
            _ => activated(at, CATEGORY),
        });
        let mut worker = worker(&database);
        let mut position = worker.start().await.unwrap();
        for batch in shared(events.collect()).chunks(size) {
            position = worker.apply(position, &page(batch)).await.unwrap().position;
        }
        results.push(database.rows("tally").await);
    }
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0], results[2]);
}

/// A page that is followed by more.
fn full_page(events: &[Arc<Recorded>]) -> Page {
    Page {
        has_more: true,
        ..page(events)
    }
}

#[tokio::test]
async fn a_worker_that_is_behind_folds_on_and_writes_each_row_once() {
    let database = Database::new("behind").await;
    let mut worker = worker(&database);
    worker.limits.unwritten_rows = 4;
    worker.limits.unwritten_time = Duration::MAX;
    let events: Vec<_> = (1..=6).map(|at| activated(at, CATEGORY)).collect();
    let others =
        (7..=8).map(|at| activated(at, CategoryId(Uuid::from_u128(at.unsigned_abs().into()))));
    let events = shared(events.into_iter().chain(others).collect());
    let mut position = worker.start().await.unwrap();
    for two in events.chunks(2) {
        assert_eq!(database.checkpoint("tally").await, (0, None));
        position = worker
            .apply(position, &full_page(two))
            .await
            .unwrap()
            .position;
    }
    assert_eq!(database.checkpoint("tally").await, (8, None), "many rows");
    assert_eq!(database.rows("tally").await[&CATEGORY.0], count(6, 6));

    let next = shared(vec![activated(9, CATEGORY)]);
    position = worker
        .apply(position, &full_page(&next))
        .await
        .unwrap()
        .position;
    assert_eq!(database.checkpoint("tally").await.0, 8);
    let last = shared(vec![recorded(10)]);
    worker.apply(position, &page(&last)).await.unwrap();
    assert_eq!(database.checkpoint("tally").await.0, 10, "all there is");
    assert_eq!(database.rows("tally").await[&CATEGORY.0], count(7, 9));

    worker.limits.unwritten_time = Duration::ZERO;
    let next = shared(vec![activated(11, CATEGORY)]);
    worker.apply(10, &full_page(&next)).await.unwrap();
    assert_eq!(database.checkpoint("tally").await.0, 11, "long enough");
}

#[tokio::test]
async fn what_was_folded_is_written_before_an_event_that_fails() {
    let database = Database::new("fails_later").await;
    let mut worker = worker(&database);
    let first = shared(vec![activated(1, CATEGORY)]);
    let newer = Recorded {
        schema_version: 99,
        ..activated(3, CATEGORY)
    };
    let second = shared(vec![activated(2, CATEGORY), newer]);
    let position = worker.start().await.unwrap();
    worker.apply(position, &full_page(&first)).await.unwrap();
    let applied = worker.apply(1, &full_page(&second)).await.unwrap();
    assert_eq!((applied.position, applied.blocked_by.is_some()), (2, true));
    worker.block(2, "by a newer build's event").await.unwrap();
    assert_eq!(database.rows("tally").await[&CATEGORY.0], count(2, 2));
}

#[tokio::test]
async fn shards_fold_their_own_rows_each_at_its_own_pace() {
    let database = Database::new("shards").await;
    database.divide_tally(3).await;
    let events: Vec<_> = (1..=30)
        .map(|at| {
            activated(
                at,
                CategoryId(Uuid::from_u128(1 + u128::from(at.unsigned_abs()) % 7)),
            )
        })
        .collect();
    let events = shared(events);
    for shard in Shard::all(3) {
        let mut worker = shard_worker(&database, shard);
        let position = worker.start().await.unwrap();
        let first = usize::try_from(shard.number).unwrap() + 1;
        let position = worker
            .apply(position, &page(&events[..first]))
            .await
            .unwrap();
        assert_eq!(position.position, i64::from(shard.number) + 1);
    }
    let checkpoints = database.checkpoints("tally").await;
    assert_eq!(checkpoints, [1, 2, 3]);
    for shard in Shard::all(3) {
        let mut worker = shard_worker(&database, shard);
        let position = worker.start().await.unwrap();
        let seen = usize::try_from(position).unwrap();
        worker
            .apply(position, &page(&events[seen..]))
            .await
            .unwrap();
    }
    let divided = database.rows("tally").await;

    let whole = Database::new("undivided").await;
    let mut worker = worker(&whole);
    worker.start().await.unwrap();
    worker.apply(0, &page(&events)).await.unwrap();
    assert_eq!(divided, whole.rows("tally").await);
}

#[tokio::test]
async fn of_two_workers_on_one_checkpoint_the_later_one_starts_again() {
    let database = Database::new("fenced").await;
    let (mut zombie, mut heir) = (worker(&database), worker(&database));
    zombie.start().await.unwrap();
    heir.start().await.unwrap();
    let events = shared(vec![
        activated(1, CATEGORY),
        activated(2, CATEGORY),
        activated(3, CATEGORY),
    ]);
    zombie.apply(0, &page(&events[..1])).await.unwrap();
    heir.start().await.unwrap();
    heir.apply(1, &page(&events[1..2])).await.unwrap();

    let fenced = zombie.apply(1, &page(&events[1..])).await;
    assert!(matches!(
        fenced,
        Err(SubscriberError::Storage(StorageError::Fenced {
            position: 1,
            ..
        }))
    ));
    let blocked = zombie.block(1, "by a zombie").await;
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
    let database = Database::new("poison").await;
    let mut worker = worker(&database);
    let events = shared(vec![
        activated(1, CATEGORY),
        activated(2, POISON),
        activated(3, CATEGORY),
    ]);
    let position = worker.start().await.unwrap();
    POISONOUS.store(true, Ordering::Relaxed);
    let applied = worker.apply(position, &page(&events)).await.unwrap();
    POISONOUS.store(false, Ordering::Relaxed);
    assert_eq!(applied.position, 1, "what comes before is applied");
    let reason = applied.blocked_by.unwrap().to_string();
    assert_eq!(reason, "the fold failed: poison");
    worker.block(1, &reason).await.unwrap();
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
async fn a_newer_builds_event_ends_the_term() {
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
async fn a_row_that_cannot_be_read_blocks() {
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
        .apply(0, &page(&shared(vec![activated(1, CATEGORY)])))
        .await
        .unwrap();
    assert_eq!(applied.position, 0);
    assert!(
        applied
            .blocked_by
            .unwrap()
            .to_string()
            .contains("cannot be read")
    );
}
