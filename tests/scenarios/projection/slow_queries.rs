//! Queries of one kind that are slow leave those of other kinds alone.

use futures::future::join_all;
use serde_json::json;
use tidemark_tests::{App, Client, eventually};

#[tokio::test]
async fn slow_searches_leave_documents_and_readiness_alone() {
    let app = App::builder()
        .projector()
        .queries()
        .set("TIDEMARK_REDIS__URL", "")
        // Longer than the searches wait for the lock.
        .set("TIDEMARK_HTTP__HANDLER_TIMEOUT_MS", 30_000)
        .start()
        .await;
    let market = app.market().await;
    let auction = market.auction(json!({})).await;
    app.settle().await;
    let mut lock = app.database.pool.begin().await.unwrap();
    sqlx::query("lock table category_rows in access exclusive mode")
        .execute(&mut *lock)
        .await
        .unwrap();
    let search = format!("/v1/auctions?category={}", market.category_id);
    let searches = join_all((0..30).map(|_| app.client.get(&search)));
    let others = async {
        eventually("a search to wait", || async {
            let waiting: bool = sqlx::query_scalar(
                "select exists (select from pg_locks where not granted and relation = 'category_rows'::regclass)",
            )
            .fetch_one(&app.database.pool)
            .await
            .unwrap();
            waiting.then_some(())
        })
        .await;
        let ops = Client::anonymous(app.query_url(), app.query_url());
        for _ in 0..20 {
            app.client
                .get(&format!("/v1/auctions/{auction}"))
                .await
                .ok();
            ops.get("/readyz").await.ok();
        }
        lock.rollback().await.unwrap();
    };
    let (answers, ()) = tokio::join!(searches, others);
    for answer in answers {
        assert!(answer.is_ok() || answer.status == 503, "{answer:?}");
    }
}
