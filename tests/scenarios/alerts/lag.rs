//! How far read models are behind the log is measured in seconds, beside what they may be behind.

use tidemark_tests::{App, eventually};

const OBJECTIVE: &str = "tidemark_read_model_lag_objective_seconds";
const LAG: &str = "tidemark_read_model_lag_seconds";

#[tokio::test]
async fn a_read_model_that_stands_still_is_measured_against_its_objective() {
    let app = App::builder()
        .set("TIDEMARK_PROJECTION__MEASURE_MS", 20)
        .set("TIDEMARK_PROJECTION__LAG_OBJECTIVES_MS__HISTORY", 100)
        .start()
        .await;
    let projector = app.spawn_projector().await;
    app.settle().await;
    let mut held = app.database.pool.acquire().await.unwrap().detach();
    let lock = "begin; select from checkpoints where read_model = 'history' for update";
    sqlx::raw_sql(lock).execute(&mut held).await.unwrap();
    app.user().await;

    let measured = async |metric: &str, read_model: &str| {
        let series = projector.measured(metric).await;
        let labels = format!("{{read_model=\"{read_model}\"}}");
        series.get(&labels).copied()
    };
    let objective = measured(OBJECTIVE, "history").await;
    assert_eq!(objective, Some(0.1));
    assert_eq!(measured(OBJECTIVE, "auction").await, Some(5.0));
    let lag = || measured(LAG, "history");
    let is_late = async || lag().await.filter(|lag| Some(*lag) > objective);
    eventually("the lag to exceed its objective", is_late).await;
    sqlx::raw_sql("rollback").execute(&mut held).await.unwrap();
    let is_level = async || lag().await.filter(|lag| *lag == 0.0);
    eventually("the lag to end", is_level).await;
}
