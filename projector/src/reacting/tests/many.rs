//! How little is read of what waits to find the little that is due.

use sqlx::Executor;
use sqlx::postgres::PgPoolOptions;

use tidemark_event_store::TimedPool;
use uuid::Uuid;

use super::*;
use crate::reacting::attempts::{Attempt, Work};
use crate::reacting::destinations::Room;
use crate::reacting::due;
use crate::reacting::endings::Endings;
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

/// One connection tells what it has read itself, and keeps its plans.
async fn one_connection(database: &Database) -> PgPool {
    let one = PgPoolOptions::new().max_connections(1);
    one.connect(&project_url(&database.name)).await.unwrap()
}

#[tokio::test]
async fn an_action_ends_without_a_look_at_others_that_came_after_the_first_ends() {
    let database = Database::new("many_ends").await;
    register(&database.pool, &[*TIMER]).await.unwrap();
    let pool = one_connection(&database).await;
    let response_timeout = Duration::from_secs(10);
    let endings = Endings::new(TimedPool::new(pool.clone(), response_timeout));
    let end = async |position| {
        let sql = "insert into reactor_actions
                          (reactor, position, target, path, event_id, correlation_id, due_at, next_attempt_at)
                   values ('auction-timer', $1, 'open', '/', gen_random_uuid(), gen_random_uuid(), now(), now())";
        let insert = sqlx::query(sql).bind(position);
        insert.execute(&database.owner).await.unwrap();
        let attempt = attempt(position);
        endings.end(&attempt, "done").await.unwrap();
    };
    pool.execute("analyze reactor_actions").await.ok();
    for position in 100_001..=100_020 {
        end(position).await;
    }
    let fill = FILL.replace("analyze reactor_actions", "");
    let fill = database.owner.execute(sqlx::AssertSqlSafe(fill));
    fill.await.unwrap();
    let before = read(&pool).await;
    end(100_021).await;
    let read = read(&pool).await - before;
    assert!(read < 100, "{read} entries were read");
    assert_eq!(ended(&database).await.len(), 21);
}

/// The first attempt at the action that opens an auction.
fn attempt(position: i64) -> Attempt {
    Attempt {
        reactor: "auction-timer".to_owned(),
        position,
        target: "open".to_owned(),
        work: Work::Answer,
        destination: String::new(),
        owner_id: None,
        event_id: Uuid::nil(),
        correlation_id: Uuid::nil(),
        number: 0,
        late_s: 0.0,
        traceparent: None,
    }
}

#[tokio::test]
async fn what_is_due_is_taken_without_reading_what_is_not() {
    let database = Database::new("many").await;
    register(&database.pool, &[*TIMER]).await.unwrap();
    let fill = database.owner.execute(sqlx::raw_sql(FILL));
    fill.await.unwrap();
    let pool = one_connection(&database).await;
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
