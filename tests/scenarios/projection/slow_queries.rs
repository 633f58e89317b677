//! Queries of one kind that are slow leave those of other kinds alone, and those of one address leave those of others
//! alone.

use std::cell::Cell;

use futures::future::join_all;
use serde_json::json;
use tidemark_tests::{Answer, App, Client, eventually};

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

#[tokio::test]
async fn many_lists_of_one_address_delay_another_by_one() {
    const MANY: usize = 40;
    let app = App::builder()
        .projector()
        .queries()
        .set("TIDEMARK_HTTP__PROXIES", 1)
        .set("TIDEMARK_QUERY__LIST_CONNECTIONS", 1)
        // Longer than the lists wait for the lock.
        .set("TIDEMARK_DATABASE__LOCK_TIMEOUT_MS", 30_000)
        .set("TIDEMARK_DATABASE__STATEMENT_TIMEOUT_MS", 30_000)
        .set("TIDEMARK_DATABASE__RESPONSE_TIMEOUT_MS", 31_000)
        .set("TIDEMARK_EXECUTOR__APPEND_TIMEOUT_MS", 31_000)
        .set("TIDEMARK_HTTP__HANDLER_TIMEOUT_MS", 30_000)
        .start()
        .await;
    app.market().await;
    app.settle().await;
    let mut lock = app.database.pool.begin().await.unwrap();
    let query = sqlx::query("lock table category_rows in access exclusive mode");
    query.execute(&mut *lock).await.unwrap();
    let list = |address: &str| {
        let request = app.client.query("/v1/categories");
        Answer::to(request.header("x-forwarded-for", address))
    };
    let answered = Cell::new(0);
    let of_one_address = join_all((0..MANY).map(|_| async {
        list("192.0.2.1").await.ok();
        answered.set(answered.get() + 1);
    }));
    let of_another = async {
        are_asked_for(&app, MANY).await;
        let answer = list("192.0.2.2");
        let unlock = async {
            are_asked_for(&app, MANY + 1).await;
            lock.rollback().await.unwrap();
        };
        let (answer, ()) = tokio::join!(answer, unlock);
        answer.ok();
        answered.get()
    };
    let (_, before) = tokio::join!(of_one_address, of_another);
    assert!(before < MANY / 2, "{before} of {MANY} were answered before");
}

/// Waits until so many lists run or wait for their turn.
async fn are_asked_for(app: &App, lists: usize) {
    let expected = format!("tidemark_query_lists {lists}");
    let ops = Client::anonymous(app.query_url(), app.query_url());
    eventually("lists to be asked for", || async {
        let metrics = ops.get("/metrics").await.ok().text;
        metrics.lines().any(|line| line == expected).then_some(())
    })
    .await;
}
