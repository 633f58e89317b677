//! How little is read of what waits to find the little that is due.

use sqlx::Executor;

use tidemark_event_store::TimedPool;
use tidemark_platform::database::pool;
use uuid::Uuid;

use super::*;
use crate::reacting::attempts;
use crate::reacting::attempts::Work;
use crate::reacting::destinations::{Destinations, Limits};
use crate::reacting::due::{Due, effects};
use crate::reacting::endings::Endings;
use crate::reacting::turns::Turns;
use crate::testing::project_url;

/// Actions that are not due for long, and one that is.
const FILL: &str = "
    insert into reactor_actions
           (reactor, position, target, path, event_id, correlation_id, due_at, next_attempt_at)
    select 'auction-timer', n, 'close', '/', gen_random_uuid(), gen_random_uuid(), at, at
      from generate_series(1, 20000) as n,
           lateral (select now() + case n when 1 then interval '0' else interval '1 day' end) as due (at)";

async fn fill(database: &Database) {
    database.owner.execute(FILL).await.unwrap();
}

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

/// One connection, as the projector has several, tells what it has read itself, and keeps its plans.
fn one_connection(database: &Database) -> PgPool {
    let config = database.config(&[("TIDEMARK_DATABASE__MAX_CONNECTIONS", "1")]);
    pool(&config.database, &project_url(&database.name)).unwrap()
}

#[tokio::test]
async fn what_becomes_of_an_action_is_recorded_without_a_look_at_others_that_came_later() {
    let database = Database::new("many_ends").await;
    register(&database.pool, &[*TIMER]).await.unwrap();
    let one = one_connection(&database);
    let response_timeout = Duration::from_secs(10);
    let endings = Endings::new(TimedPool::new(one.clone(), response_timeout), 32);
    let end = async |position| {
        let sql = "insert into reactor_actions
                          (reactor, position, target, path, event_id, correlation_id, due_at, next_attempt_at)
                   values ('auction-timer', $1, 'open', '/', gen_random_uuid(), gen_random_uuid(), now(), now())";
        let insert = sqlx::query(sql).bind(position);
        insert.execute(&database.owner).await.unwrap();
        let attempt = attempt(position);
        let pause = Duration::ZERO;
        attempts::pause(&one, &attempt, pause, "later")
            .await
            .unwrap();
        let retry = (pause, pause);
        attempts::back_off(&one, &attempt, retry, "failed")
            .await
            .unwrap();
        attempts::redirect(&one, &attempt, "there").await.unwrap();
        let performed = attempts::record_performed(&one, &attempt, "/", None).await;
        assert!(performed.unwrap());
        endings.end(&attempt, "done").await.unwrap();
    };
    let analyze = database.owner.execute("analyze reactor_actions");
    analyze.await.unwrap();
    for position in 100_001..=100_020 {
        end(position).await;
    }
    fill(&database).await;
    let before = read(&one).await;
    end(100_021).await;
    let read = read(&one).await - before;
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
    let one = one_connection(&database);
    let take = async || {
        let shares = Owners::new(9).shares();
        let next_due = commands::next_due(&one, &shares).await.unwrap();
        (next_due, take(&one, Duration::from_mins(1)).await.len())
    };
    for _ in 0..10 {
        assert_eq!(take().await, (None, 0));
    }
    fill(&database).await;
    let before = read(&one).await;
    assert_eq!(take().await, (Some(Duration::ZERO), 1));
    let read = read(&one).await - before;
    assert!(read < 100, "{read} entries were read");
}

/// Effects that are not due for long, and one that is, of two users at three destinations each.
const FILL_EFFECTS: &str = "
    insert into reactor_actions
           (reactor, position, target, path, effect, owner_id, destination, event_id, correlation_id, due_at, next_attempt_at)
    select 'auction-timer', n, 'call', '', 'call', case n % 2 when 0 then gen.first else gen.other end, n % 3,
           gen_random_uuid(), gen_random_uuid(), at, at
      from (select gen_random_uuid() as first, gen_random_uuid() as other) as gen,
           generate_series(1, 20000) as n,
           lateral (select now() + case n when 1 then interval '0' else interval '1 day' end) as due (at)";

#[tokio::test]
async fn effects_that_are_due_are_taken_without_reading_what_is_not() {
    let database = Database::new("many_effects").await;
    register(&database.pool, &[*TIMER]).await.unwrap();
    let one = TimedPool::new(one_connection(&database), Duration::from_secs(10));
    let limits = Limits {
        in_flight_max: 9,
        owner_in_flight_max: 9,
        failures_max: 9,
        pause_min: Duration::ZERO,
        pause_max: Duration::ZERO,
    };
    let turns = Turns::new(Destinations::new("call", limits), Owners::new(9));
    let mut due = Due::Effects("call", turns);
    let lease = Lease {
        holder: new_id(),
        duration: Duration::from_mins(1),
    };
    // The plans of both statements are made while nothing waits.
    for _ in 0..10 {
        let (begun, next_due) = due.take(&one, 9, lease).await.unwrap();
        assert_eq!((begun.len(), next_due), (0, None));
        effects::take(&one, "call", &[], lease).await.unwrap();
    }
    database.owner.execute(FILL_EFFECTS).await.unwrap();
    let before = read(&one).await;
    let (begun, next_due) = due.take(&one, 9, lease).await.unwrap();
    assert_eq!((begun.len(), next_due), (1, Some(Duration::ZERO)));
    let read = read(&one).await - before;
    assert!(read < 100, "{read} entries were read");
}
