//! The rows and the checkpoint that a worker writes, on a real Postgres.

mod divided;
mod failures;
mod orders;
mod parked;
mod shards;
mod skipped;
mod streams;
mod together;

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::PgPool;
use tidemark_events::samples::CATEGORY;
use tidemark_events::{CategoryId, Recorded};
use tidemark_read_models::{Generation, Shard};
use uuid::Uuid;

use super::*;
use crate::testing::{
    Database, GENERATION, TOTAL, Tally, activated, at, deactivated, page, recorded,
};

fn worker(database: &Database) -> Worker<Tally> {
    shard_worker(database, Shard::ONLY)
}

fn shard_worker(database: &Database, shard: Shard) -> Worker<Tally> {
    worker_of_build(database, shard, "this")
}

fn worker_of_build(database: &Database, shard: Shard, build: &str) -> Worker<Tally> {
    let joint_writer = joint_writer(database);
    worker_of_process(database, shard, build, &joint_writer)
}

fn joint_writer(database: &Database) -> JointWriter {
    JointWriter::spawn(&database.config(&[]).projection)
}

fn worker_of_process<M: ReadModel>(
    database: &Database,
    shard: Shard,
    build: &str,
    joint_writer: &JointWriter,
) -> Worker<M> {
    let storage = Storage::new::<M>(
        PgPool::clone(&database.pool),
        database.config(&[]).database.response_timeout(),
        Generation {
            fold_version: M::FOLD_VERSION,
            ..GENERATION
        },
        shard,
        build.into(),
    );
    let log = Log::new(database.pool.clone());
    let settings = database.config(&[]).projection;
    Worker::new(storage, log, &settings, joint_writer.clone(), None)
}

/// The row of a count, and the position of the last event that changed it.
fn count(count: u32, position: i64) -> (String, i64) {
    (format!(r#"{{"count":{count}}}"#), position)
}

const OTHER: CategoryId = CategoryId(Uuid::from_u128(12));

/// A page after which the log has more events.
fn page_with_more(events: &[Arc<Recorded>]) -> Page {
    Page {
        has_more: true,
        is_to_be_written: false,
        ..page(events)
    }
}

#[tokio::test]
async fn rows_and_checkpoint_move_together() {
    let database = Database::new("moves").await;
    let mut worker = worker(&database);
    assert_eq!(worker.start().await.unwrap(), LogPoint::START);
    let first = database
        .append_shared(vec![
            activated(1, CATEGORY),
            recorded(2),
            activated(3, OTHER),
        ])
        .await;
    assert_eq!(
        worker
            .apply(at(0), &page(&first))
            .await
            .unwrap()
            .point
            .position,
        3
    );
    let unwanted = database.append_shared(vec![recorded(4)]).await;
    assert_eq!(
        worker
            .apply(at(3), &page(&unwanted))
            .await
            .unwrap()
            .point
            .position,
        4
    );
    let last = database
        .append_shared(vec![activated(5, CATEGORY), deactivated(6, OTHER)])
        .await;
    assert_eq!(
        worker
            .apply(at(4), &page(&last))
            .await
            .unwrap()
            .point
            .position,
        6
    );

    assert_eq!(database.checkpoint("tally").await, (6, None));
    let expected = HashMap::from([(CATEGORY.0, count(2, 5)), (TOTAL, count(4, 6))]);
    assert_eq!(database.rows("tally").await, expected);
    let stored = worker.storage.checkpoint().await.unwrap();
    assert_eq!((stored.point.position, stored.last_removal), (6, 6));
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
        let events = database.append_shared(events.collect()).await;
        let mut worker = worker(&database);
        let mut position = worker.start().await.unwrap();
        for batch in events.chunks(size) {
            position = worker.apply(position, &page(batch)).await.unwrap().point;
        }
        results.push(database.rows("tally").await);
    }
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0], results[2]);
}

#[tokio::test]
async fn a_worker_that_is_behind_folds_several_pages_and_writes_each_row_once() {
    let database = Database::new("behind").await;
    let mut worker = worker(&database);
    worker.limits.unwritten_rows = 4;
    worker.limits.unwritten_time = Duration::MAX;
    let events: Vec<_> = (1..=6).map(|at| activated(at, CATEGORY)).collect();
    let others =
        (7..=8).map(|at| activated(at, CategoryId(Uuid::from_u128(at.unsigned_abs().into()))));
    let events = database
        .append_shared(events.into_iter().chain(others).collect())
        .await;
    let mut position = worker.start().await.unwrap();
    for two in events.chunks(2) {
        assert_eq!(database.checkpoint("tally").await, (0, None));
        position = worker
            .apply(position, &page_with_more(two))
            .await
            .unwrap()
            .point;
    }
    assert_eq!(
        database.checkpoint("tally").await,
        (8, None),
        "enough rows have changed"
    );
    assert_eq!(database.rows("tally").await[&CATEGORY.0], count(6, 6));

    let next = database.append_shared(vec![activated(9, CATEGORY)]).await;
    position = worker
        .apply(position, &page_with_more(&next))
        .await
        .unwrap()
        .point;
    assert_eq!(database.checkpoint("tally").await.0, 8);
    let last = database.append_shared(vec![recorded(10)]).await;
    worker.apply(position, &page(&last)).await.unwrap();
    assert_eq!(
        database.checkpoint("tally").await.0,
        10,
        "the log has no more events"
    );
    assert_eq!(database.rows("tally").await[&CATEGORY.0], count(7, 9));

    worker.limits.unwritten_time = Duration::ZERO;
    let next = database.append_shared(vec![activated(11, CATEGORY)]).await;
    worker.apply(at(10), &page_with_more(&next)).await.unwrap();
    assert_eq!(
        database.checkpoint("tally").await.0,
        11,
        "rows were unwritten for long enough"
    );
}

/// Each row is as large as what may be read at once, and none stays in memory.
#[tokio::test]
async fn rows_that_are_large_together_are_changed_and_written_in_parts() {
    let database = Database::new("parts").await;
    let newer = r#"{"count":1,"since":"2026"}"#;
    sqlx::query("insert into tally_rows values (1, $1, $2::json, 0)")
        .bind(OTHER.0)
        .bind(newer)
        .execute(&database.owner)
        .await
        .unwrap();
    let mut worker = worker(&database);
    worker.limits.unwritten_bytes = 1;
    worker.limits.cached_bytes = 0;
    worker.start().await.unwrap();
    let events = vec![
        activated(1, CATEGORY),
        activated(2, CATEGORY),
        recorded(3),
        activated(4, OTHER),
        activated(5, CATEGORY),
    ];
    let events = database.append_shared(events).await;
    let applied = worker.apply(at(0), &page(&events)).await.unwrap();
    assert_eq!(
        applied.point.position, 3,
        "the row is left to another build"
    );
    assert!(applied.blocked_by.is_some());
    assert_eq!(database.checkpoint("tally").await.0, 3);
    assert_eq!(database.rows("tally").await[&CATEGORY.0], count(2, 2));

    sqlx::query("delete from tally_rows where id = $1")
        .bind(OTHER.0)
        .execute(&database.owner)
        .await
        .unwrap();
    let applied = worker.apply(at(3), &page(&events[3..])).await.unwrap();
    assert_eq!(applied.checkpoint, 5);
    let expected = HashMap::from([
        (CATEGORY.0, count(3, 5)),
        (OTHER.0, count(1, 4)),
        (TOTAL, count(4, 5)),
    ]);
    assert_eq!(database.rows("tally").await, expected);
}
