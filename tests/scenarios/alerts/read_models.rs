//! Rows that are parked, and rebuilds that wait for a decision.

use serde_json::Value;
use tidemark_tests::{App, Process};

use crate::projection::rebuilds::{DIFFERENT, UNDECIDED, change_row, order};

/// Does what only the owner of the database may.
async fn execute(app: &App, sql: &'static str) {
    sqlx::query(sql).execute(&app.database.pool).await.unwrap();
}

/// Tries the row again that is parked.
async fn retry(app: &App) {
    let listed = Process::operators_tool(&app.settings, &["parked", "list", "--json"]).await;
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let id = listed[0]["id"].as_str().unwrap();
    let tried = order(app, &["parked", "retry", "category", id]).await;
    assert!(tried.status.success(), "{tried:?}");
}

/// Rebuilds categories, which ends with this exit code.
async fn rebuild(app: &App, code: i32) {
    let rebuilt = order(app, &["rebuild", "category"]).await;
    assert_eq!(rebuilt.status.code(), Some(code), "{rebuilt:?}");
}

/// Gives up what was built of categories.
async fn cancel(app: &App) {
    let cancelled = order(app, &["cancel", "category"]).await;
    assert!(cancelled.status.success(), "{cancelled:?}");
}

#[tokio::test]
async fn parked_rows_and_undecided_and_different_rebuilds_are_measured() {
    let app = App::builder()
        .set("TIDEMARK_REBUILD__COMPARE_LOOKS_MAX", 20)
        .set("TIDEMARK_REBUILD__COMPARE_PAUSE_MS", 20)
        .set("TIDEMARK_REBUILD__COMPARE_ATTEMPTS_MAX", 3)
        .set("TIDEMARK_REBUILD__TICK_MS", 50)
        .set("TIDEMARK_PROJECTION__MEASURE_MS", 20)
        .start()
        .await;
    let projector = app.spawn_projector().await;
    let [parked, different] = [app.category(None).await, app.category(None).await];
    app.settle().await;
    let rows = async |is_so: fn(f64) -> bool| {
        let (metric, label) = ("tidemark_projection_parked_rows", "read_model=\"category\"");
        projector.measures(metric, label, is_so).await;
    };
    rows(|rows| rows == 0.0).await;
    let poison =
        "alter table category_rows_1 add constraint poison check (doc ->> 'active' = 'true')";
    execute(&app, poison).await;
    let deactivate = format!("/v1/categories/{parked}/deactivate");
    app.admin().await.post_empty(&deactivate).await.ok();
    rows(|rows| rows > 0.0).await;

    let waits = async |because: &str, is_so: fn(f64) -> bool| {
        let label = format!("because=\"{because}\"");
        projector
            .measures("tidemark_rebuild_waiting_generations", &label, is_so)
            .await;
    };
    waits("undecided", |it| it == 0.0).await;
    rebuild(&app, UNDECIDED).await;
    waits("undecided", |it| it > 0.0).await;
    cancel(&app).await;
    waits("undecided", |it| it == 0.0).await;
    execute(&app, "alter table category_rows_1 drop constraint poison").await;
    retry(&app).await;
    rows(|rows| rows == 0.0).await;

    change_row(&app, different).await;
    rebuild(&app, DIFFERENT).await;
    waits("differences", |it| it > 0.0).await;
    cancel(&app).await;
    waits("differences", |it| it == 0.0).await;
}
