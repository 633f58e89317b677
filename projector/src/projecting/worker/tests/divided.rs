//! Rows that cannot be written at once are written in parts, so that a worker always gets on.

use sqlx::Executor;
use tokio_util::sync::CancellationToken;

use super::failures::source;
use super::*;
use crate::following::blocked::Blocked;
use crate::following::follow::follow;

/// How long Postgres may take for an answer here.
const RESPONSE_MAX: Duration = Duration::from_secs(1);

fn category(number: i64) -> CategoryId {
    CategoryId(Uuid::from_u128(number.unsigned_abs().into()))
}

/// Has Postgres take so many seconds longer for each row of a category.
async fn slow_down(database: &Database, seconds: &str) {
    let slow = format!(
        "create function slow() returns trigger language plpgsql as
         $$ begin perform pg_sleep({seconds}); return new; end $$;
         create trigger slow before insert on tally_rows_1 for each row execute function slow()"
    );
    let slow = sqlx::raw_sql(sqlx::AssertSqlSafe(slow));
    database.owner.execute(slow).await.unwrap();
}

/// Counts the categories of an event each, from one position to another.
async fn count_once(database: &Database, from: i64, to: i64) {
    let events: Vec<_> = (from..=to)
        .map(|at| activated(at, category(at - from + 1)))
        .collect();
    database.append(&events).await;
    let mut worker = worker(database);
    let (pool, generation) = (PgPool::clone(&database.pool), worker.storage.generation());
    worker.storage =
        Storage::new::<Tally>(pool, RESPONSE_MAX, generation, Shard::ONLY, "this".into());
    let source = source(database, Blocked::default());
    let (settings, stop) = (database.config(&[]).projection, CancellationToken::new());
    follow(Box::new(worker), source, settings, Some(to), stop).await;
}

/// To find the refused rows takes longer than Postgres may take for one answer.
#[tokio::test]
async fn very_many_rows_that_postgres_refuses_are_all_found_and_wait() {
    let rows = 300;
    let database = Database::new("very_many_refused").await;
    count_once(&database, 1, rows).await;
    slow_down(&database, "0.002").await;
    let refuse = "alter table tally_rows add constraint refused
                  check (id = '00000000-0000-0000-0000-000000000000' or (doc ->> 'count')::integer < 2)";
    database.owner.execute(refuse).await.unwrap();
    count_once(&database, rows + 1, 2 * rows).await;
    assert_eq!(database.checkpoint("tally").await, (2 * rows, None));
    let parked = database.parked().await;
    let positions: Vec<_> = parked.iter().map(|row| row.2.clone()).collect();
    let expected: Vec<_> = (rows + 1..=2 * rows).map(|at| vec![at]).collect();
    assert_eq!(positions, expected);
    let total = u32::try_from(2 * rows).unwrap();
    assert_eq!(database.rows("tally").await[&TOTAL], count(total, 2 * rows));
}

#[tokio::test]
async fn rows_that_take_too_long_together_are_written_in_parts() {
    let rows = 400;
    let database = Database::new("too_slow_together").await;
    slow_down(&database, "0.004").await;
    count_once(&database, 1, rows).await;
    assert_eq!(database.checkpoint("tally").await, (rows, None));
    assert_eq!(database.parked().await, []);
    let stored = i64::try_from(database.rows("tally").await.len()).unwrap();
    assert_eq!(stored, rows + 1);
}
