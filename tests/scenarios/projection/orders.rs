//! What operators order about generations is on record, and is refused with the reason where it cannot be done.

use serde_json::{Value, json};
use tidemark_tests::{App, Process, eventually};

use super::rebuilds::{generations, order, states};

/// Fails unless the order is refused with this text, and is not on record.
async fn assert_refused(app: &App, arguments: &[&str], expected: &str) {
    let before = orders(app).await;
    let refused = order(app, arguments).await;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(error.contains(expected), "{arguments:?}: {error}");
    assert_eq!(orders(app).await, before);
}

/// Which orders are on record, each with the generation that it names.
async fn orders(app: &App) -> Vec<(String, Option<i32>)> {
    let sql = "select data ->> 'order', (data ->> 'generation')::integer
                 from events
                where type = 'rebuild.ordered'
                order by position";
    let orders = sqlx::query_as(sql).fetch_all(&app.database.pool);
    orders.await.unwrap()
}

async fn ordered(app: &App, arguments: &[&str]) {
    let ordered = order(app, arguments).await;
    assert!(ordered.status.success(), "{arguments:?}: {ordered:?}");
}

#[tokio::test]
async fn a_rebuild_says_at_once_that_no_projector_can_build_it_and_waits() {
    let app = App::start().await;
    let settings = app.settings.as_service("operator");
    let rebuild = ["rebuild", "category", "--reason", "as an exercise"];
    let (lines, errors) = Process::lines_of_operators_tool(&settings, &rebuild, 2).await;
    for line in &lines {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(
            (&line["can_run"], &line["outcome"]),
            (&json!(false), &Value::Null)
        );
    }
    let hint = "no running projector can build generation 2 of `category`";
    assert_eq!(errors.matches(hint).count(), 1, "{errors}");

    let _projector = app.another_projector().await;
    eventually("the generation to serve", || async {
        (generations(&app, "category").await == states(&["kept", "serving"])).then_some(())
    })
    .await;
    let again = order(&app, &["rebuild", "category"]).await;
    assert!(again.status.success(), "{again:?}");
    assert_eq!(String::from_utf8(again.stderr).unwrap(), "");
}

#[tokio::test]
async fn a_generation_that_is_kept_is_dropped_and_no_other_is() {
    let app = App::builder().projector().start().await;
    assert_refused(&app, &["drop", "category"], "no generation").await;
    for _ in 0..2 {
        ordered(&app, &["rebuild", "category"]).await;
    }
    let drop = |number| ["drop", "category", "--generation", number];
    assert_refused(
        &app,
        &["drop", "category"],
        "several generations of this read model are kept (2, 1)",
    )
    .await;
    assert_refused(&app, &drop("3"), "generation 3 serves;").await;
    assert_refused(&app, &drop("4"), "generation 4 does not exist;").await;
    ordered(&app, &drop("1")).await;
    assert_refused(&app, &drop("1"), "generation 1 is dropped already;").await;
    ordered(&app, &["drop", "category"]).await;
    assert_eq!(
        generations(&app, "category").await,
        states(&["dropped", "dropped", "serving"])
    );
    let recorded = orders(&app).await;
    let dropped = [("drop".to_owned(), Some(1)), ("drop".to_owned(), Some(2))];
    assert_eq!(recorded[2..], dropped);
    eventually("their rows to be deleted", || async {
        let sql =
            "select count(*) from pg_class where relname in ('category_rows_1', 'category_rows_2')";
        let tables: i64 = sqlx::query_scalar(sql)
            .fetch_one(&app.database.pool)
            .await
            .unwrap();
        (tables == 0).then_some(())
    })
    .await;
    let only_builds = json!({
        "read_model": "category", "order": "build", "generation": 1, "reason": "as an exercise",
    });
    let service = app.service("operator");
    let refused = service.post("/v1/rebuilds", &only_builds).await;
    refused.problem(422, "invalid");
}

async fn execute(app: &App, sql: &'static str) {
    sqlx::query(sql).execute(&app.database.pool).await.unwrap();
}

#[tokio::test]
async fn a_rollback_to_a_generation_with_more_parked_rows_is_refused() {
    let app = App::builder().projector().start().await;
    let rollback = ["rollback", "category"];
    assert_refused(&app, &rollback, "no generation of this read model is kept").await;
    let category = app.category(None).await;
    ordered(&app, &["rebuild", "category"]).await;
    let poison = "alter table category_rows_1 add constraint poison check (false) not valid";
    execute(&app, poison).await;
    let deactivate = format!("/v1/categories/{category}/deactivate");
    app.admin().await.post_empty(&deactivate).await.ok();
    app.settle().await;
    let parked =
        "generation 1 cannot serve now: it has 1 parked rows that the one that serves has not";
    assert_refused(&app, &rollback, parked).await;
}

#[tokio::test]
async fn a_rollback_to_a_generation_that_nothing_keeps_up_is_refused() {
    let app = App::builder().set("TIDEMARK_REBUILD__LEVEL_EVENTS", 1);
    let app = app.start().await;
    let projector = app.another_projector().await;
    app.category(None).await;
    ordered(&app, &["rebuild", "category"]).await;
    projector.stop().await;
    for (sql, expected) in [
        (
            "update checkpoints set blocked = 'on purpose' where read_model = 'category' and generation = 1",
            "its shard 0 stands still: on purpose",
        ),
        (
            "update checkpoints set blocked = null where read_model = 'category' and generation = 1",
            "no projector runs its shard 0",
        ),
        (
            "with moved as (
                 update checkpoints set position = 0 where read_model = 'category' and generation = 1
             )
             insert into leases (name, holder, epoch, expires_at)
             values ('projection:category:1:0', gen_random_uuid(), 1, clock_timestamp() + interval '1 hour')
                 on conflict (name) do update set expires_at = excluded.expires_at",
            "events behind the end of the log, which must not be more than 1",
        ),
    ] {
        execute(&app, sql).await;
        assert_refused(&app, &["rollback", "category"], expected).await;
    }
}
