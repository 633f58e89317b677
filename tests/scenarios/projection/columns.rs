//! The columns that rows are searched and sorted by say what the documents say.

use serde_json::Value;
use sqlx::AssertSqlSafe;
use tidemark_read_models::{ReadModel, for_each_read_model};
use tidemark_tests::{App, eventually};
use tokio_util::sync::CancellationToken;

use super::replay;
use super::trade::trade;

/// Builds of before there were such columns write documents alone, and Postgres makes the columns of them.
#[tokio::test]
async fn what_a_projector_writes_beside_a_document_is_what_postgres_makes_of_it() {
    let app = App::start_all().await;
    let stop = CancellationToken::new();
    let traded = async {
        eventually("enough was traded", || async {
            (app.database.head().await > 200).then_some(())
        })
        .await;
        stop.cancel();
    };
    tokio::join!(trade(&app, &stop), traded);
    app.market().await.picture().await;
    app.settle().await;
    replay::assert_rows(&app).await;
    for_each_read_model!(assert_columns(&app).await);
}

async fn assert_columns<M: ReadModel>(app: &App) {
    let written = columns::<M>(app).await;
    assert!(!written.is_empty());
    let older_build = format!("update {}_rows set doc = doc", M::NAME);
    sqlx::query(AssertSqlSafe(older_build))
        .execute(&app.database.pool)
        .await
        .unwrap();
    assert_eq!(columns::<M>(app).await, written, "{}", M::NAME);
}

/// All columns of all rows.
async fn columns<M: ReadModel>(app: &App) -> Vec<Value> {
    let sql = format!("select to_jsonb(r) from {}_rows r order by id", M::NAME);
    let rows = sqlx::query_scalar(AssertSqlSafe(sql));
    rows.fetch_all(&app.database.pool).await.unwrap()
}
