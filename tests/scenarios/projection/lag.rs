//! How far read models are behind the log is measured in seconds, beside what they may be behind.

use tidemark_tests::{App, Client, Process, eventually};

/// The value of the series of a read model.
async fn measured(projector: &Process, metric: &str, read_model: &str) -> Option<f64> {
    let client = Client::anonymous(&projector.url, &projector.url);
    let metrics = client.get("/metrics").await.ok().text;
    let series = format!("tidemark_read_model_{metric}{{read_model=\"{read_model}\"}} ");
    let mut lines = metrics.lines();
    lines.find_map(|line| line.strip_prefix(&series)?.parse().ok())
}

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

    let objective = measured(&projector, "lag_objective_seconds", "history").await;
    assert_eq!(objective, Some(0.1));
    let default = measured(&projector, "lag_objective_seconds", "auction").await;
    assert_eq!(default, Some(5.0));
    let lag = || measured(&projector, "lag_seconds", "history");
    let is_late = async || lag().await.filter(|lag| Some(*lag) > objective);
    eventually("the lag to exceed its objective", is_late).await;
    sqlx::raw_sql("rollback").execute(&mut held).await.unwrap();
    let is_level = async || lag().await.filter(|lag| *lag == 0.0);
    eventually("the lag to end", is_level).await;
}
