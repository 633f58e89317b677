//! Rows to which an event cannot be applied: they wait alone, and everything else goes on.

use std::sync::atomic::Ordering;

use super::*;
use crate::testing::{FAILING_CATEGORY, IS_FAILING};

/// So many categories, of which Postgres refuses the second count of some.
async fn with_refused_counts(test: &str, refused: &[CategoryId]) -> Database {
    let database = Database::new(test).await;
    let ids: Vec<_> = refused.iter().map(|it| format!("'{}'", it.0)).collect();
    let constraint = format!(
        "alter table tally_rows add constraint refused
         check (id not in ({}) or (doc ->> 'count')::integer < 2)",
        ids.join(", ")
    );
    sqlx::query(sqlx::AssertSqlSafe(constraint))
        .execute(&database.owner)
        .await
        .unwrap();
    database
}

fn category(number: u128) -> CategoryId {
    CategoryId(Uuid::from_u128(number))
}

/// Applies all events in pages of this size.
async fn apply(worker: &mut Worker<Tally>, events: &[Arc<Recorded>], size: usize) {
    let mut position = worker.start().await.unwrap();
    for events in events.chunks(size) {
        let applied = worker.apply(position, &page(events)).await.unwrap();
        assert!(applied.blocked_by.is_none());
        position = applied.point;
    }
}

#[tokio::test]
async fn a_row_whose_fold_fails_waits_until_another_build_has_tried() {
    let database = Database::new("failing_fold").await;
    let events = vec![
        activated(1, CATEGORY),
        activated(2, FAILING_CATEGORY),
        activated(3, FAILING_CATEGORY),
        activated(4, CATEGORY),
    ];
    let events = database.append_shared(events).await;
    let mut worker = worker(&database);
    IS_FAILING.store(true, Ordering::Relaxed);
    apply(&mut worker, &events, 2).await;
    IS_FAILING.store(false, Ordering::Relaxed);
    let mut rows = HashMap::from([(CATEGORY.0, count(2, 4)), (TOTAL, count(4, 4))]);
    assert_eq!(database.rows("tally").await, rows);
    assert_eq!(database.checkpoint("tally").await, (4, None));
    let reason = "the fold failed: on purpose".to_owned();
    let parked = [(FAILING_CATEGORY.0, "row".to_owned(), vec![2, 3], reason, 1)];
    assert_eq!(database.parked().await, parked);

    worker.start().await.unwrap();
    worker.check(at(4)).await.unwrap();
    assert_eq!(
        database.parked().await,
        parked,
        "this build has tried already"
    );

    let mut other = worker_of_build(&database, Shard::ONLY, "other");
    assert_eq!(other.start().await.unwrap(), at(4));
    assert_eq!(other.parked(), 1);
    other.check(at(4)).await.unwrap();
    assert_eq!((other.parked(), database.parked().await), (0, vec![]));
    rows.insert(FAILING_CATEGORY.0, count(2, 3));
    assert_eq!(database.rows("tally").await, rows);

    let more = database
        .append_shared(vec![activated(5, FAILING_CATEGORY)])
        .await;
    other.apply(at(4), &page(&more)).await.unwrap();
    assert_eq!(
        database.rows("tally").await[&FAILING_CATEGORY.0],
        count(3, 5)
    );
}

#[tokio::test]
async fn rows_that_postgres_refuses_are_found_and_wait() {
    let refused = [category(3), category(17)];
    let mut results = Vec::new();
    for (name, size) in [("refused_1", 1), ("refused_7", 7), ("refused_99", 99)] {
        let database = with_refused_counts(name, &refused).await;
        let events =
            (1..=60).map(|at| activated(at, category(1 + u128::from(at.unsigned_abs()) % 20)));
        let events = database.append_shared(events.collect()).await;
        let mut worker = worker(&database);
        apply(&mut worker, &events, size).await;
        assert_eq!(database.checkpoint("tally").await, (60, None), "{name}");
        let rows = database.rows("tally").await;
        assert_eq!(rows[&TOTAL], count(60, 60), "{name}");
        let parked = database.parked().await;
        let ids: Vec<_> = parked.iter().map(|row| row.0).collect();
        assert_eq!(ids, refused.map(|it| it.0), "{name}");
        assert!(parked[0].3.contains("refused"), "{parked:?}");

        let repair = "alter table tally_rows drop constraint refused";
        sqlx::query(repair).execute(&database.owner).await.unwrap();
        let retry = "update parked set tried_by = ''";
        sqlx::query(retry).execute(&database.owner).await.unwrap();
        worker.check(at(60)).await.unwrap();
        assert_eq!(database.parked().await, [], "{name}");
        results.push(database.rows("tally").await);
    }
    assert_eq!(results[0].len(), 21);
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0], results[2]);
}

#[tokio::test]
async fn a_row_that_is_still_refused_stays_parked() {
    let database = with_refused_counts("still_refused", &[CATEGORY]).await;
    let events = database
        .append_shared(vec![activated(1, CATEGORY), activated(2, CATEGORY)])
        .await;
    apply(&mut worker(&database), &events, 1).await;
    let mut other = worker_of_build(&database, Shard::ONLY, "other");
    other.start().await.unwrap();
    other.check(at(2)).await.unwrap();
    let parked = database.parked().await;
    assert_eq!((&*parked[0].2, parked[0].4), (&[2][..], 2));
    assert_eq!(database.rows("tally").await[&CATEGORY.0], count(1, 1));
}

#[tokio::test]
async fn a_row_that_cannot_be_read_waits() {
    let database = Database::new("unreadable").await;
    let row = "insert into tally_rows values (1, $1, '{\"count\":\"?\"}', 0)";
    sqlx::query(row)
        .bind(CATEGORY.0)
        .execute(&database.owner)
        .await
        .unwrap();
    let events = database.append_shared(vec![activated(1, CATEGORY)]).await;
    apply(&mut worker(&database), &events, 1).await;
    let parked = database.parked().await;
    assert!(parked[0].3.contains("cannot be read"), "{parked:?}");
    assert_eq!(database.rows("tally").await[&TOTAL], count(1, 1));
}
