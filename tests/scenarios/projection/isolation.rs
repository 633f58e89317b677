//! A read model that is slow or blocked delays no other read model.

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tidemark_events::Encoded;
use tidemark_platform::ids::new_id;
use tidemark_tests::eventually;
use tidemark_tests::{App, Process, append_strange, from_environment};

use super::failover::checkpoint;
use super::replay::{assert_documents, assert_rows};

/// The read models that are neither slow nor blocked in these tests.
const OTHERS: [&str; 4] = ["auction", "bid", "product", "profile"];
/// The exit code of `status` when a read model is blocked.
const BLOCKED: i32 = 2;

/// Waits until these read models have applied the whole log.
async fn reach_the_head(app: &App, read_models: &[&str]) {
    let head = app.database.head().await;
    for read_model in read_models {
        eventually(&format!("{read_model} to reach the head"), || async {
            (checkpoint(app, read_model).await >= head).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_slow_read_model_holds_up_no_other() {
    let app = App::start_all().await;
    let (market, buyer) = (app.market().await, app.user().await);
    app.settle().await;
    let url = app
        .database
        .url_like(&from_environment("TIDEMARK_TEST_DATABASE_URL"));
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let mut lock = connection.begin().await.unwrap();
    sqlx::query("lock table history_rows in access exclusive mode")
        .execute(&mut *lock)
        .await
        .unwrap();
    let stood_at = app.database.head().await;
    let auction = market.auction(json!({})).await;
    for step in 0..20 {
        let bid = buyer.bid(auction, 1_000 + 100 * step).await.ok();
        let path = format!("/v1/auctions/{auction}");
        let read = buyer.with_tidemark(bid.tidemark()).get(&path).await.ok();
        assert_eq!(read.body["bid_count"], step + 1);
    }
    reach_the_head(&app, &OTHERS).await;
    reach_the_head(&app, &["category"]).await;
    assert_eq!(
        checkpoint(&app, "history").await,
        stood_at,
        "the lock did not stop the read model"
    );

    lock.rollback().await.unwrap();
    app.settle().await;
    assert_rows(&app).await;
    assert_documents(&app).await;
}

#[tokio::test]
async fn an_event_of_a_newer_build_blocks_only_the_read_models_that_want_it() {
    let app = App::builder()
        .relay()
        .projector()
        .queries()
        .set("TIDEMARK_PROJECTION__BLOCKED_RETRY_MS", 100)
        .start()
        .await;
    let (market, buyer) = (app.market().await, app.user().await);
    app.settle().await;
    let stood_at = app.database.head().await;
    let newer = Encoded {
        event_type: "category.created".to_owned(),
        schema_version: 99,
        data: "{}".to_owned(),
    };
    append_strange(&app.settings, new_id(), newer).await;
    let auction = market.auction(json!({})).await;
    let bid = buyer.bid(auction, 1_000).await.ok();

    reach_the_head(&app, &OTHERS).await;
    reach_the_head(&app, &["history"]).await;
    let reason: String = eventually("the read model to be blocked", || async {
        sqlx::query_scalar("select blocked from checkpoints where read_model = 'category'")
            .fetch_one(&app.database.pool)
            .await
            .unwrap()
    })
    .await;
    assert!(reason.contains("category.created"), "{reason}");
    assert_eq!(checkpoint(&app, "category").await, stood_at);

    let seen = buyer.with_tidemark(bid.tidemark());
    let path = format!("/v1/auctions/{auction}");
    assert_eq!(seen.get(&path).await.ok().body["bid_count"], 1);
    seen.get("/v1/categories").await.problem(503, "blocked");
    seen.get("/v1/auctions").await.ok();
    let below = format!("/v1/auctions?category={}", market.category_id);
    seen.get(&below).await.problem(503, "blocked");
    let path = format!("/v1/categories/{}", market.category_id);
    let old = app.client.get(&path).await.ok();
    assert_eq!(
        old.position(),
        stood_at,
        "a query without a token gets the rows from before the event"
    );

    let status = Process::operators_tool(&app.settings, &["status", "--json"]).await;
    assert_eq!(status.status.code(), Some(BLOCKED), "{status:?}");
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    let read_models = status["read_models"].as_array().unwrap();
    let blocked: Vec<_> = read_models
        .iter()
        .filter(|read_model| !read_model["blocked"].is_null())
        .collect();
    assert_eq!(blocked.len(), 1, "{status}");
    assert_eq!(blocked[0]["name"], "category");
    assert_eq!(blocked[0]["blocked"], reason);
    assert_eq!(blocked[0]["position"], stood_at);
}

/// Postgres may refuse to write for reasons that neither pass by themselves nor are the fault of a row.
#[tokio::test]
async fn a_read_model_that_may_not_be_written_says_so_until_it_may_and_holds_up_no_other() {
    let app = App::builder()
        .projector()
        .set("TIDEMARK_PROJECTION__RETRIES_SHOWN_MS", 200)
        .start()
        .await;
    app.market().await;
    app.settle().await;
    let revoke = "revoke insert on category_rows from tidemark_project";
    sqlx::query(revoke)
        .execute(&app.database.pool)
        .await
        .unwrap();
    app.category(None).await;
    reach_the_head(&app, &OTHERS).await;
    let (code, status) = eventually("the read model to be blocked", || async {
        let status = Process::operators_tool(&app.settings, &["status", "--json"]).await;
        let found: Value = serde_json::from_slice(&status.stdout).unwrap();
        let mut read_models = found["read_models"].as_array().unwrap().clone();
        read_models.retain(|it| !it["blocked"].is_null());
        (!read_models.is_empty()).then_some((status.status.code(), read_models))
    })
    .await;
    assert_eq!(code, Some(BLOCKED));
    assert_eq!(status.len(), 1, "{status:?}");
    assert_eq!(status[0]["name"], "category");
    let reason = status[0]["blocked"].as_str().unwrap();
    let expected = "(SQLSTATE 42501: the role of the projector lacks a right)";
    assert!(reason.contains(expected), "{reason}");

    let grant = "grant insert on category_rows to tidemark_project";
    sqlx::query(grant)
        .execute(&app.database.pool)
        .await
        .unwrap();
    app.settle().await;
}
