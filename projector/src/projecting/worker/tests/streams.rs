//! Events that cannot be read, and of which only the data says which rows they are about: their streams wait, and everything
//! else goes on.

use tidemark_events::operations::rebuild::{ReadModelName, Reason};
use tidemark_events::operations::repair;
use tidemark_events::samples;
use tidemark_events::samples::{REPAIR, stated};

use super::*;

/// The category in whose stream an event cannot be read.
const POISONED: CategoryId = CategoryId(Uuid::from_u128(21));
/// The position of that event.
const UNREADABLE: i64 = 2;
/// The position of an order about the stream.
const ORDERED: i64 = 6;

/// The stream of a category. As of true ids, its first bytes tell it from others.
fn stream(category: CategoryId) -> Uuid {
    Uuid::from_u128(category.0.as_u128() << 64)
}

/// An event in the stream of its category.
fn event(position: i64, category: CategoryId) -> Recorded {
    Recorded {
        stream_id: stream(category),
        aggregate: "category".to_owned(),
        ..activated(position, category)
    }
}

/// A log with an event that cannot be read, and later ones of its stream and of others.
async fn append(database: &Database) -> Vec<Arc<Recorded>> {
    let unreadable = Recorded {
        data: "{}".to_owned(),
        ..event(UNREADABLE, POISONED)
    };
    let events = vec![
        event(1, POISONED),
        unreadable,
        event(3, OTHER),
        event(4, POISONED),
        event(5, CATEGORY),
    ];
    database.append_shared(events).await
}

/// The order to go on without the event that cannot be read, as an operator gives it who sees the stream wait in a shard.
fn order(shard: Shard) -> Recorded {
    let read_model: ReadModelName = stated("tally");
    let reason: Reason = stated("It was a test.");
    let order = repair::Event::SkipRequested {
        repair_id: REPAIR,
        read_model: read_model.into(),
        row_id: repair::RowId(shard.id_of_stream(stream(POISONED))),
        position: UNREADABLE,
        reason: reason.into(),
    };
    samples::recorded(ORDERED, &order.into())
}

/// Stores what the append stores of that order.
async fn list_as_skipped(database: &Database, shard: Shard) {
    sqlx::query("insert into skipped_events values ($1, 'tally', $2, $3)")
        .bind(ORDERED)
        .bind(shard.id_of_stream(stream(POISONED)))
        .bind(UNREADABLE)
        .execute(&database.owner)
        .await
        .unwrap();
}

/// Applies events in pages of this size, each by a worker that has just started. Nothing may block it.
async fn apply(database: &Database, shard: Shard, events: &[Arc<Recorded>], size: usize) {
    for events in events.chunks(size) {
        let mut worker = shard_worker(database, shard);
        let position = worker.start().await.unwrap();
        let applied = worker.apply(position, &page(events)).await.unwrap();
        assert!(applied.blocked_by.is_none());
    }
}

/// Tries what is parked in a shard.
async fn check(database: &Database, shard: Shard) -> Worker<Tally> {
    let mut worker = shard_worker(database, shard);
    let at = worker.start().await.unwrap();
    worker.check(at).await.unwrap();
    worker
}

#[tokio::test]
async fn a_stream_with_an_event_that_cannot_be_read_waits_alone() {
    for (test, size) in [("stream_1", 1), ("stream_99", 99)] {
        let database = Database::new(test).await;
        let events = append(&database).await;
        apply(&database, Shard::ONLY, &events, size).await;
        assert_eq!(database.checkpoint("tally").await, (5, None), "{test}");
        let others = HashMap::from([
            (POISONED.0, count(1, 1)),
            (OTHER.0, count(1, 3)),
            (CATEGORY.0, count(1, 5)),
            (TOTAL, count(3, 5)),
        ]);
        assert_eq!(database.rows("tally").await, others, "{test}");
        let [(id, kind, waiting, reason, _)] = &database.parked().await[..] else {
            panic!("one stream waits");
        };
        assert_eq!(*id, Shard::ONLY.id_of_stream(stream(POISONED)));
        assert_eq!((&**kind, &**waiting), ("stream", &[2, 4][..]));
        let of_stream = format!("category {}: ", stream(POISONED));
        assert!(reason.starts_with(&of_stream), "{reason}");
    }
}

/// That the event can be read later stands for a build that can read it.
#[tokio::test]
async fn the_events_of_a_stream_are_applied_once_they_can_be_read() {
    let database = Database::new("stream_read").await;
    let events = append(&database).await;
    apply(&database, Shard::ONLY, &events, 99).await;
    let retry = "update parked set tried_by = ''";
    sqlx::query(retry).execute(&database.owner).await.unwrap();
    check(&database, Shard::ONLY).await;
    let parked = database.parked().await;
    assert_eq!((&*parked[0].2, parked[0].4), (&[2, 4][..], 2));

    let mend = format!(
        "alter table events disable trigger user;
         update events set data = '{}' where position = {UNREADABLE};
         update parked set tried_by = ''",
        event(UNREADABLE, POISONED).data
    );
    let mend = sqlx::raw_sql(sqlx::AssertSqlSafe(mend));
    mend.execute(&database.owner).await.unwrap();
    let mut worker = check(&database, Shard::ONLY).await;
    assert_eq!((worker.parked(), database.parked().await), (0, vec![]));
    let mut rows = HashMap::from([
        (POISONED.0, count(3, 4)),
        (OTHER.0, count(1, 3)),
        (CATEGORY.0, count(1, 5)),
        (TOTAL, count(5, 5)),
    ]);
    assert_eq!(database.rows("tally").await, rows);

    let more = database.append_shared(vec![event(6, POISONED)]).await;
    worker.apply(at(5), &page(&more)).await.unwrap();
    rows.extend([(POISONED.0, count(4, 6)), (TOTAL, count(6, 6))]);
    assert_eq!(database.rows("tally").await, rows);
}

fn without_unreadable() -> HashMap<Uuid, (String, i64)> {
    HashMap::from([
        (POISONED.0, count(2, 4)),
        (OTHER.0, count(1, 3)),
        (CATEGORY.0, count(1, 5)),
        (TOTAL, count(4, 5)),
    ])
}

#[tokio::test]
async fn one_order_lets_a_stream_go_on_in_every_shard() {
    let database = Database::new("stream_skipped").await;
    database.divide_tally(3).await;
    let mut events = append(&database).await;
    let ordered_for = Shard {
        number: 1,
        count: 3,
    };
    for shard in Shard::all(3) {
        apply(&database, shard, &events, 2).await;
    }
    assert_eq!(database.parked().await.len(), 3, "it waits in each");
    list_as_skipped(&database, ordered_for).await;
    events.extend(database.append_shared(vec![order(ordered_for)]).await);
    for shard in Shard::all(3) {
        apply(&database, shard, &events[5..], 99).await;
        check(&database, shard).await;
    }
    assert_eq!(database.parked().await, []);
    assert_eq!(database.rows("tally").await, without_unreadable());
}

#[tokio::test]
async fn what_a_stream_went_on_without_is_left_out_of_a_generation_with_other_shards() {
    let database = Database::new("stream_left_out").await;
    let mut events = append(&database).await;
    let ordered_for = Shard {
        number: 1,
        count: 3,
    };
    list_as_skipped(&database, ordered_for).await;
    events.extend(database.append_shared(vec![order(ordered_for)]).await);
    let begun = "update generations set begun_at = 6 where read_model = 'tally'";
    sqlx::query(begun).execute(&database.owner).await.unwrap();
    apply(&database, Shard::ONLY, &events, 2).await;
    assert_eq!(database.parked().await, []);
    assert_eq!(database.rows("tally").await, without_unreadable());
}
