//! Generations are given up and deleted whatever is in the way, and what watches over that is not taken for dead.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tidemark_tests::proxy::{Fault, Proxy};
use tidemark_tests::{App, Process, eventually};
use tokio::time::timeout;

use super::rebuilds::{change_row, generations, order, states};

/// A tool that has not ended after this time never will.
const DEADLINE: Duration = Duration::from_mins(1);
/// The most parked rows that one statement may delete in the test of bounded steps.
const STEP: usize = 1_000;

/// Whether the second generation of categories has left nothing.
async fn is_deleted(app: &App) -> Option<()> {
    let is_deleted: bool = sqlx::query_scalar(
        "select to_regclass('category_rows_2') is null
            and not exists (select from parked)
            and not exists (select from checkpoints where read_model = 'category' and generation = 2)",
    )
    .fetch_one(&app.database.pool)
    .await
    .unwrap();
    is_deleted.then_some(())
}

async fn begin(app: &App) {
    let begun = order(app, &["rebuild", "category", "--detach"]).await;
    assert!(begun.status.success(), "{begun:?}");
}

#[tokio::test]
async fn a_build_is_cancelled_although_a_query_holds_its_deletion_up() {
    let app = App::builder().set("TIDEMARK_REBUILD__DROP_RETRY_MS", "100");
    let app = app.projector().start().await;
    let options = app.database.pool.connect_options();
    let mut slow = PgConnection::connect_with(&options).await.unwrap();
    let query = "begin; lock table category_rows in access share mode";
    slow.execute(sqlx::raw_sql(query)).await.unwrap();
    begin(&app).await;
    let cancelled = order(&app, &["cancel", "category"]).await;
    assert!(cancelled.status.success(), "{cancelled:?}");
    let dropped = states(&["serving", "dropped"]);
    assert_eq!(generations(&app, "category").await, dropped);
    assert_eq!(is_deleted(&app).await, None, "the query is still running");
    slow.close().await.unwrap();
    eventually("the rows to be deleted", || is_deleted(&app)).await;
}

#[tokio::test]
async fn however_many_rows_are_parked_a_generation_is_deleted_in_bounded_steps() {
    let app = App::builder().set("TIDEMARK_REBUILD__DELETE_ROWS_MAX", STEP);
    let app = app.start().await;
    begin(&app).await;
    // What one statement deletes of a table, by itself or for another table, is counted.
    let sql = format!(
        "insert into parked (read_model, generation, shard, id, kind, position, reason, tried_by)
         select 'category', 2, 0, gen_random_uuid(), 'row', n, '', '' from generate_series(1, 3 * {STEP}) n;
         insert into parked_events (read_model, generation, id, position)
         select read_model, generation, id, position from parked;
         create function refuse() returns trigger language plpgsql as $$
         begin
             if (select count(*) > {STEP} from deleted) then raise 'too many at once'; end if;
             return null;
         end $$;
         create trigger refuse after delete on parked referencing old table as deleted execute function refuse();
         create trigger refuse after delete on parked_events referencing old table as deleted execute function refuse();"
    );
    let parked = app.database.pool.execute(sqlx::raw_sql(AssertSqlSafe(sql)));
    parked.await.unwrap();
    let cancelled = order(&app, &["cancel", "category"]).await;
    assert!(cancelled.status.success(), "{cancelled:?}");
    let _projector = app.another_projector().await;
    eventually("the generation to be deleted", || is_deleted(&app)).await;
}

/// A row that differs is looked at a second time only after the test.
#[tokio::test]
async fn nobody_else_compares_while_a_comparison_takes_long() {
    let app = App::builder()
        .set("TIDEMARK_REBUILD__COMPARE_PAUSE_MS", "3600000")
        .set("TIDEMARK_REBUILD__LEASE_MS", "500")
        .projector()
        .start()
        .await;
    let category = app.category(None).await;
    app.settle().await;
    change_row(&app, category).await;
    begin(&app).await;
    let terms: RefCell<HashMap<i64, DateTime<Utc>>> = RefCell::default();
    for _ in 0..3 {
        eventually("the lease to be renewed", || async {
            let sql = "select epoch, expires_at from leases where name = 'rebuilds'";
            let found: Option<(i64, DateTime<Utc>)> = sqlx::query_as(sql)
                .fetch_optional(&app.database.pool)
                .await
                .unwrap();
            let (epoch, expires_at) = found?;
            let before = terms.borrow_mut().insert(epoch, expires_at)?;
            (before < expires_at).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tool_gives_up_when_postgres_falls_silent() {
    let app = App::start().await;
    let mut settings = app.settings.as_service("operator");
    for (name, value) in [
        ("TIDEMARK_DATABASE__STATEMENT_TIMEOUT_MS", "900"),
        ("TIDEMARK_DATABASE__RESPONSE_TIMEOUT_MS", "1000"),
    ] {
        settings.set(name, value);
    }
    let proxy = Proxy::before_postgres(&mut settings, "PROJECT").await;
    let following = ["rebuild", "category", "--reason", "as an exercise"];
    let following = Process::operators_tool(&settings, &following);
    let silence = async {
        // No projector runs, so the build never ends.
        eventually("the build to begin", || async {
            (generations(&app, "category").await.len() == 2).then_some(())
        })
        .await;
        proxy.set_both(Fault::BlackHole);
    };
    let ended = timeout(DEADLINE, async { tokio::join!(following, silence).0 }).await;
    let ended = ended.expect("the tool ends");
    assert!(!ended.status.success(), "{ended:?}");
}
