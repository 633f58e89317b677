//! Events that an operator has skipped for a row: it is without them, whatever the worker knew when it came to them.

use tidemark_events::operations::rebuild::{ReadModelName, Reason};
use tidemark_events::operations::repair;
use tidemark_events::samples;
use tidemark_events::samples::{REPAIR, stated};

use super::*;

/// The event that is skipped.
const SKIPPED: i64 = 2;
/// The position of the order to skip it.
const ORDERED: i64 = 5;

fn order() -> Recorded {
    let read_model: ReadModelName = stated("tally");
    let reason: Reason = stated("It was a test.");
    let order = repair::Event::SkipRequested {
        repair_id: REPAIR,
        read_model: read_model.into(),
        row_id: repair::RowId(CATEGORY.0),
        position: SKIPPED,
        reason: reason.into(),
    };
    samples::recorded(ORDERED, &order.into())
}

/// A log with a skipped event, and a generation that was begun when the log ended at `begun_at`.
async fn with_skipped_event(test: &str, begun_at: i64) -> (Database, Vec<Arc<Recorded>>) {
    let database = Database::new(test).await;
    let events = vec![
        activated(1, CATEGORY),
        activated(SKIPPED, CATEGORY),
        activated(3, OTHER),
        activated(4, CATEGORY),
        order(),
        activated(6, OTHER),
    ];
    let events = database.append_shared(events).await;
    sqlx::query("insert into skipped_events values ($1, 'tally', $2, $3)")
        .bind(ORDERED)
        .bind(CATEGORY.0)
        .bind(SKIPPED)
        .execute(&database.owner)
        .await
        .unwrap();
    sqlx::query("update generations set begun_at = $1 where read_model = 'tally'")
        .bind(begun_at)
        .execute(&database.owner)
        .await
        .unwrap();
    (database, events)
}

/// Applies events in pages of this size, each by a worker that has just started.
async fn apply(database: &Database, events: &[Arc<Recorded>], size: usize) {
    for events in events.chunks(size) {
        let mut worker = worker(database);
        let position = worker.start().await.unwrap();
        worker.apply(position, &page(events)).await.unwrap();
    }
}

/// Tries what is parked, after which nothing is parked.
async fn check(database: &Database) {
    let mut worker = worker(database);
    let at = worker.start().await.unwrap();
    worker.check(at).await.unwrap();
    assert_eq!(database.parked().await, []);
}

fn without_skipped() -> HashMap<Uuid, (String, i64)> {
    HashMap::from([
        (CATEGORY.0, count(2, ORDERED)),
        (OTHER.0, count(2, 6)),
        (TOTAL, count(5, 6)),
    ])
}

#[tokio::test]
async fn an_event_that_was_skipped_before_the_generation_was_begun_is_never_applied() {
    for (test, size) in [("left_out_1", 1), ("left_out_99", 99)] {
        let (database, events) = with_skipped_event(test, ORDERED).await;
        apply(&database, &events[..2], size).await;
        let rows = database.rows("tally").await;
        assert_eq!(rows[&CATEGORY.0], count(1, 1), "{test}");
        apply(&database, &events[2..], size).await;
        assert_eq!(database.rows("tally").await, without_skipped(), "{test}");
    }
}

/// To make a row of the tally anew takes the whole log, for which no page waits.
#[tokio::test]
async fn an_event_that_is_skipped_after_it_was_applied_is_taken_out() {
    for (test, size) in [("taken_out_1", 1), ("taken_out_99", 99)] {
        let (database, events) = with_skipped_event(test, ORDERED - 1).await;
        apply(&database, &events, size).await;
        let parked = database.parked().await;
        let expected = "it has the event at 2, which is skipped";
        assert!(parked[0].3.contains(expected), "{test}: {parked:?}");
        check(&database).await;
        assert_eq!(database.rows("tally").await, without_skipped(), "{test}");
    }
}

#[tokio::test]
async fn a_parked_row_is_made_without_the_event_whether_it_waits_or_was_applied() {
    // Postgres refuses the count that this event makes: the skipped one, or the next.
    for (test, refused_from) in [("skipped_waits", 2), ("skipped_applied", 3)] {
        let (database, events) = with_skipped_event(test, 0).await;
        let refuse = format!(
            "alter table tally_rows add constraint refused
             check (id <> '{}' or (doc ->> 'count')::integer < {refused_from})",
            CATEGORY.0
        );
        sqlx::query(sqlx::AssertSqlSafe(refuse))
            .execute(&database.owner)
            .await
            .unwrap();
        apply(&database, &events, 1).await;
        assert_eq!(database.parked().await.len(), 1, "{test}");
        let repair = "alter table tally_rows drop constraint refused";
        sqlx::query(repair).execute(&database.owner).await.unwrap();
        check(&database).await;
        assert_eq!(database.rows("tally").await, without_skipped(), "{test}");
    }
}

#[tokio::test]
async fn what_was_skipped_on_a_lost_future_is_not_left_out() {
    let (database, events) = with_skipped_event("skipped_and_lost", 9).await;
    let fork = "insert into timelines (id, parent, forked_at, position) values (2, 1, 4, 5)";
    sqlx::query(fork).execute(&database.owner).await.unwrap();
    apply(&database, &events[..2], 99).await;
    let rows = database.rows("tally").await;
    assert_eq!(rows[&CATEGORY.0], count(2, 2), "it was applied");
    apply(&database, &events[2..], 99).await;
    check(&database).await;
    assert_eq!(database.rows("tally").await, without_skipped());
}
