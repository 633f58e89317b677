//! Orders about rows that take long: many of them, and those about rows of many events.

use tidemark_event_store::{PageLimits, TimedPool};
use tidemark_events::Event;
use tidemark_events::operations::rebuild::{ReadModelName, Reason};
use tidemark_events::operations::repair;
use tidemark_events::samples;
use tidemark_events::samples::{REPAIR, stated};
use tidemark_read_models::market::category::Category;
use tokio_util::sync::CancellationToken;

use super::failures::source_with;
use super::*;
use crate::following::blocked::Blocked;
use crate::following::follow::follow;
use crate::projecting::made_row::{Events, made_row};

/// The number of the events of the row.
const EVENTS: i64 = 640;
/// The number of the orders to make it anew, which follow them.
const ORDERS: i64 = 200;

fn of_category(position: i64) -> Recorded {
    let is_of_category = |event: &Event| matches!(event, Event::Category(_));
    let created = samples::all().into_iter().find(is_of_category).unwrap();
    let event = match position {
        1 => samples::recorded(1, &created),
        _ => activated(position, CATEGORY),
    };
    Recorded {
        stream_id: CATEGORY.0,
        ..event
    }
}

fn order(position: i64) -> Recorded {
    let read_model: ReadModelName = stated("category");
    let reason: Reason = stated("It was a test.");
    let order = repair::Event::RebuildRequested {
        repair_id: REPAIR,
        read_model: read_model.into(),
        row_id: repair::RowId(CATEGORY.0),
        reason: reason.into(),
    };
    samples::recorded(position, &order.into())
}

/// Waits until the read model has got beyond a position.
async fn passes(database: &Database, position: i64) {
    while database.checkpoint("category").await.0 <= position {}
}

#[tokio::test]
async fn however_many_orders_a_page_holds_the_worker_gets_on() {
    let database = Database::new("many_orders").await;
    let version = "update generations set fold_version = $1 where read_model = 'category'";
    sqlx::query(version)
        .bind(Category::FOLD_VERSION)
        .execute(&database.owner)
        .await
        .unwrap();
    let end = EVENTS + ORDERS;
    let events = (1..=EVENTS).map(of_category);
    let events = events.chain((EVENTS + 1..=end).map(order)).collect();
    let events = database.append_shared(events).await;
    let joint_writer = joint_writer(&database);
    let new_worker = || {
        let mut worker: Worker<Category> =
            worker_of_process(&database, Shard::ONLY, "this", &joint_writer);
        worker.limits.unwritten_time = Duration::ZERO;
        worker
    };
    let mut worker = new_worker();
    let (from, page) = (worker.start().await.unwrap(), page(&events));
    tokio::select! {
        _ = worker.apply(from, &page) => panic!("nothing was stored before the whole page was applied"),
        () = passes(&database, EVENTS) => {}
    }

    // All of the orders take longer than one answer of Postgres may.
    let pool = TimedPool::new(PgPool::clone(&database.pool), Duration::from_millis(300));
    let source = source_with(&database, Blocked::default(), pool);
    let (settings, stop) = (database.config(&[]).projection, CancellationToken::new());
    follow(Box::new(new_worker()), source, settings, Some(end), stop).await;
    let row = &database.rows("category").await[&CATEGORY.0];
    assert_eq!(row.1, end);
    assert!(row.0.contains(&format!("\"version\":{EVENTS}")), "{row:?}");
}

/// The tool asks the same before it records an order.
#[tokio::test]
async fn a_row_is_made_of_no_more_than_it_may_take_of_what_came_before() {
    let database = Database::new("row_limits").await;
    let events: Vec<_> = (1..=130).map(of_category).collect();
    database.append(&events).await;
    let log = Log::new(database.pool.clone());
    let bytes: usize = events.iter().map(|event| event.data.len()).sum();
    let bytes = i64::try_from(bytes).unwrap();
    for (before, events, bytes, expected) in [
        (i64::MAX, 130, bytes, Ok(130)),
        (i64::MAX, 129, bytes, Err("more than 129 events")),
        (130, 129, bytes, Ok(129)),
        (i64::MAX, 130, bytes - 1, Err("bytes of them")),
    ] {
        let of = Events {
            before,
            without: &[],
            max: Some(PageLimits { events, bytes }),
        };
        match (
            made_row::<Category>(&log, CATEGORY.0, of).await.unwrap(),
            expected,
        ) {
            (Ok(row), Ok(version)) => assert_eq!(row.unwrap().version, version),
            (Err(reason), Err(expected)) => assert!(reason.contains(expected), "{reason}"),
            (made, expected) => panic!("{made:?} in place of {expected:?}"),
        }
    }
}
