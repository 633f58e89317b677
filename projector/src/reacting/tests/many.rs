//! How little is read of what waits to find the little that is due.

use sqlx::Executor;
use sqlx::postgres::PgPoolOptions;

use super::*;
use crate::reacting::destinations::Room;
use crate::reacting::due;
use crate::reacting::owners::Owners;
use crate::testing::project_url;

/// Actions that are not due for long, and one that is.
const FILL: &str = "
    insert into reactor_actions
           (reactor, position, target, path, event_id, correlation_id, due_at, next_attempt_at)
    select 'auction-timer', n, 'close', '/', gen_random_uuid(), gen_random_uuid(), at, at
      from generate_series(1, 20000) as n,
           lateral (select case n when 1 then now() else 'infinity' end) as due (at);
    analyze reactor_actions";

/// The entries of indexes, and the rows, that were read so far.
async fn read(pool: &PgPool) -> i64 {
    pool.execute("select pg_stat_force_next_flush()")
        .await
        .unwrap();
    let sql = "
        select ((select sum(idx_tup_read) from pg_stat_user_indexes where relname = 'reactor_actions')
              + (select seq_tup_read from pg_stat_user_tables where relname = 'reactor_actions'))::bigint";
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn what_is_due_is_taken_without_reading_what_is_not() {
    let database = Database::new("many").await;
    register(&database.pool, &[*TIMER]).await.unwrap();
    let fill = database.owner.execute(sqlx::raw_sql(FILL));
    fill.await.unwrap();
    // One connection tells what it has read itself.
    let one = PgPoolOptions::new().max_connections(1);
    let pool = one.connect(&project_url(&database.name)).await.unwrap();
    let before = read(&pool).await;
    let room = Room {
        most: 9,
        owner_most: 9,
        ..Room::default()
    };
    let limits = (&room, &Owners::new(9).shares());
    let taken = due::take(&pool, None, 9, limits, Duration::from_mins(1), new_id()).await;
    assert_eq!(taken.unwrap().len(), 1);
    let read = read(&pool).await - before;
    assert!(read < 100, "{read} entries were read");
}
