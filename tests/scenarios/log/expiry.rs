//! Idempotency records are removed when nobody needs them any more, whoever sent the command, a few at a time.

use serde_json::json;
use sqlx::PgPool;
use tidemark_tests::app::AppBuilder;
use tidemark_tests::{App, eventually};

/// A record of a command that came so many hours ago.
pub(super) async fn insert_record(pool: &PgPool, principal: &str, key: &str, hours: i32) {
    sqlx::query(
        "insert into idempotency_records
         select record_id($1, $2), '', 201, gen_random_uuid(), 1, 1,
                clock_timestamp() - make_interval(hours => $3), $1, $2",
    )
    .bind(principal)
    .bind(key)
    .bind(hours)
    .execute(pool)
    .await
    .unwrap();
}

/// An action of the reactor `auction-timer` that has not ended.
async fn insert_action(pool: &PgPool, position: i64, target: &str) {
    sqlx::query(
        "insert into reactor_actions
                (reactor, position, target, path, event_id, correlation_id, due_at, next_attempt_at)
         select 'auction-timer', $1, $2, '', gen_random_uuid(), gen_random_uuid(), 'infinity', 'infinity'",
    )
    .bind(position)
    .bind(target)
    .execute(pool)
    .await
    .unwrap();
}

fn builder() -> AppBuilder {
    App::builder().set("TIDEMARK_EXECUTOR__EXPIRY_INTERVAL_MS", 20)
}

/// Waits until only records with these keys are left.
pub(super) async fn only_are_left(pool: &PgPool, keys: &[&str]) {
    eventually("the other records to be removed", || async {
        let left: Vec<String> =
            sqlx::query_scalar("select coalesce(key, '') from idempotency_records order by 1")
                .fetch_all(pool)
                .await
                .unwrap();
        (left == keys).then_some(())
    })
    .await;
}

#[tokio::test]
async fn records_of_all_principals_are_removed_unless_a_reactor_may_need_them() {
    let mut app = builder().start().await;
    app.stop_command_api().await;
    let pool = app.database.pool.clone();
    for principal in ["user:1", "route:POST /v1/users", "service:query-api"] {
        insert_record(&pool, principal, &format!("new of {principal}"), 23).await;
        insert_record(&pool, principal, &format!("old of {principal}"), 25).await;
    }
    let reach = "update reactors set position = 50 where name = 'auction-timer'";
    sqlx::query(reach).execute(&pool).await.unwrap();
    insert_action(&pool, 41, "close").await;
    for (position, action) in [(40, "open"), (41, "open"), (41, "close"), (51, "open")] {
        let key = format!("auction-timer-{position:016}-{action}");
        insert_record(&pool, "service:auction-timer", &key, 25).await;
    }
    app.start_command_api().await;
    let new = [
        "new of route:POST /v1/users",
        "new of service:query-api",
        "new of user:1",
    ];
    let awaited = [
        "auction-timer-0000000000000041-close",
        "auction-timer-0000000000000051-open",
    ];
    only_are_left(&pool, &[&awaited[..], &new].concat()).await;

    for event in [
        "update reactor_actions set done_at = clock_timestamp()",
        "update reactors set position = 51 where name = 'auction-timer'",
    ] {
        sqlx::query(event).execute(&pool).await.unwrap();
    }
    only_are_left(&pool, &new).await;
}

#[tokio::test]
async fn no_statement_removes_more_records_than_a_step() {
    let app = builder()
        .set("TIDEMARK_EXECUTOR__EXPIRY_STEP", 10)
        .set("TIDEMARK_EXECUTOR__EXPIRY_PAUSE_MS", 1)
        .start()
        .await;
    let pool = &app.database.pool;
    sqlx::raw_sql(
        "create table removals (records bigint);
         create function count_removed() returns trigger language plpgsql security definer as $$
         begin
             insert into removals select count(*) from removed having count(*) > 0;
             return null;
         end $$;
         create trigger count_removed after delete on idempotency_records
            referencing old table as removed for each statement execute function count_removed();
         insert into idempotency_records
         select gen_random_uuid(), '', 201, gen_random_uuid(), 1, 1, '2026-01-01'
           from generate_series(1, 95) as numbers (n)",
    )
    .execute(pool)
    .await
    .unwrap();
    only_are_left(pool, &[]).await;
    let (most, all): (i64, i64) =
        sqlx::query_as("select max(records), sum(records)::bigint from removals")
            .fetch_one(pool)
            .await
            .unwrap();
    assert_eq!((most, all), (10, 95));
}

/// A command whose record has expired, but is not removed yet, is answered as it was.
#[tokio::test]
async fn a_record_that_is_being_removed_holds_up_no_command() {
    let app = App::start().await;
    let admin = app.admin().await.with_key("3f2c8a4e-key-of-this-test");
    let body = json!({"name": "Charts", "slug": "charts"});
    let first = admin.post("/v1/categories", &body).await.ok();
    let pool = &app.database.pool;
    let age = "update idempotency_records set recorded_at = recorded_at - interval '25 hours'";
    sqlx::query(age).execute(pool).await.unwrap();
    let mut removal = pool.begin().await.unwrap();
    let removed: i64 =
        sqlx::query_scalar("select removed from remove_expired_records('24 hours', null, 10)")
            .fetch_one(&mut *removal)
            .await
            .unwrap();
    assert_eq!(removed, 1);
    let again = admin.post("/v1/categories", &body).await.ok();
    assert_eq!(again.text, first.text);
    let other = json!({"name": "Clocks", "slug": "clocks"});
    let fresh = app.admin().await.with_key("3f2c8a4e-another-key-of-this");
    fresh.post("/v1/categories", &other).await.ok();
    removal.rollback().await.unwrap();
}
