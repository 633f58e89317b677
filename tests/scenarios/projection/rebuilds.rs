//! Operators build a generation of a read model beside the one that serves, and let it serve, while clients go on.

use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidemark_read_models::market::category::Category;
use tidemark_read_models::{ReadModel, for_each_read_model};
use tidemark_tests::{App, Process, User, eventually, replay};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::replay::{assert_documents, assert_rows};
use super::trade::trade;

/// The exit code if the rows of the new generation are different.
pub(crate) const DIFFERENT: i32 = 3;
/// The exit code if some of its rows could not be compared.
pub(crate) const UNDECIDED: i32 = 4;

/// The longest that it takes an operator to roll back, the start of the tool included.
const ROLLBACK_MAX: Duration = Duration::from_secs(1);

/// Runs the operators' tool on a read model, with a reason.
pub(crate) async fn order(app: &App, arguments: &[&str]) -> Output {
    let settings = app.settings.as_service("operator");
    let arguments = [arguments, &["--reason", "as an exercise"]].concat();
    Process::operators_tool(&settings, &arguments).await
}

/// The number of the generation that serves, and the states of all generations of a read model.
pub(super) async fn generations(app: &App, read_model: &str) -> Vec<(i32, String)> {
    let sql = "select generation, state from generations where read_model = $1 order by generation";
    let generations = sqlx::query_as(sql).bind(read_model);
    generations.fetch_all(&app.database.pool).await.unwrap()
}

pub(super) fn states(of: &[&str]) -> Vec<(i32, String)> {
    let states = (1..)
        .zip(of)
        .map(|(number, state)| (number, (*state).to_owned()));
    states.collect()
}

/// Bids on an auction, and queries it with the bid's token and its list without one, until `stop`. Every query
/// must succeed, and show the bid.
pub(super) async fn bid_and_query(user: &User, auction: Uuid, stop: &CancellationToken) {
    let (path, list) = (
        format!("/v1/auctions/{auction}"),
        "/v1/auctions?sort=newest",
    );
    for amount in (1_000..).step_by(100) {
        if stop.is_cancelled() {
            break;
        }
        let bid = user.bid(auction, amount).await.ok();
        let reader = user.with_tidemark(bid.tidemark());
        let seen = reader.get(&path).await.ok();
        assert_eq!(seen.body["current_price"]["amount"], amount, "{seen:?}");
        user.get(list).await.ok();
    }
}

fn name<M: ReadModel>() -> &'static str {
    M::NAME
}

#[tokio::test]
async fn every_read_model_is_rebuilt_under_load_and_no_query_fails_or_goes_back() {
    let app = App::builder().projector().queries().start().await;
    let (market, buyer) = (app.market().await, app.user().await);
    let auction = market.auction(json!({})).await;
    let stop = CancellationToken::new();
    let rebuilding = async {
        for read_model in for_each_read_model!(name()) {
            let rebuilt = order(&app, &["rebuild", read_model, "--shards", "2"]).await;
            assert!(rebuilt.status.success(), "{read_model}: {rebuilt:?}");
            assert_eq!(
                generations(&app, read_model).await,
                states(&["kept", "serving"])
            );
        }
        stop.cancel();
    };
    tokio::join!(
        rebuilding,
        trade(&app, &stop),
        bid_and_query(&buyer, auction, &stop)
    );
    app.settle().await;
    assert_rows(&app).await;
    assert_documents(&app).await;
    let recorded: i64 = sqlx::query_scalar(
        "select count(*)
           from events
          where type = 'rebuild.ordered'
            and metadata ->> 'actor' = 'service:operator'
            and data ->> 'order' = 'build'
            and data ->> 'reason' = 'as an exercise'",
    )
    .fetch_one(&app.database.pool)
    .await
    .unwrap();
    assert_eq!(
        recorded,
        i64::try_from(for_each_read_model!(name()).len()).unwrap()
    );
}

#[tokio::test]
async fn the_generation_before_serves_again_at_once() {
    let app = App::builder().projector().queries().start().await;
    let (market, buyer) = (app.market().await, app.user().await);
    let auction = market.auction(json!({})).await;
    let early = order(&app, &["rollback", "auction"]).await;
    assert!(!early.status.success(), "nothing is kept: {early:?}");
    let rebuilt = order(&app, &["rebuild", "auction"]).await;
    assert!(rebuilt.status.success(), "{rebuilt:?}");
    let stop = CancellationToken::new();
    let rolling_back = async {
        let started = Instant::now();
        let rolled_back = order(&app, &["rollback", "auction"]).await;
        assert!(rolled_back.status.success(), "{rolled_back:?}");
        stop.cancel();
        started.elapsed()
    };
    let (took, ()) = tokio::join!(rolling_back, bid_and_query(&buyer, auction, &stop));
    assert!(took < ROLLBACK_MAX, "{took:?}");
    assert_eq!(
        generations(&app, "auction").await,
        states(&["serving", "kept"])
    );
    app.settle().await;
    assert_rows(&app).await;
}

/// Changes the name of a category in its row, as an error of an earlier fold would have.
pub(crate) async fn change_row(app: &App, category: Uuid) {
    let sql = "update category_rows
                  set doc = replace(doc::text, '\"active\":true', '\"active\":false')::json
                where id = $1
                  and generation = 1";
    let changed = sqlx::query(sql).bind(category).execute(&app.database.pool);
    assert_eq!(changed.await.unwrap().rows_affected(), 1);
}

#[tokio::test]
async fn different_rows_are_named_by_field_and_serve_only_if_they_are_expected() {
    let app = App::builder().projector().queries().start().await;
    let category = app.category(None).await;
    app.settle().await;
    change_row(&app, category).await;
    let compared = order(&app, &["rebuild", "category"]).await;
    assert_eq!(compared.status.code(), Some(DIFFERENT), "{compared:?}");
    let output = String::from_utf8(compared.stdout).unwrap();
    assert!(output.contains(&category.to_string()), "{output}");
    let found: Value =
        sqlx::query_scalar("select comparison from generations where generation = 2")
            .fetch_one(&app.database.pool)
            .await
            .unwrap();
    assert_eq!(found["different_rows"], 1, "{found}");
    assert_eq!(
        found["differences"][0]["fields"],
        json!({"active": [false, true]}),
        "{found}"
    );
    assert_eq!(
        generations(&app, "category").await,
        states(&["serving", "building"])
    );
    let again = order(&app, &["rebuild", "category"]).await;
    assert!(!again.status.success(), "one is built already: {again:?}");
    let cancelled = order(&app, &["cancel", "category"]).await;
    assert!(cancelled.status.success(), "{cancelled:?}");
    let expected = order(&app, &["rebuild", "category", "--expect-changes"]).await;
    assert!(expected.status.success(), "{expected:?}");
    assert_eq!(
        generations(&app, "category").await,
        states(&["kept", "dropped", "serving"])
    );
    let events = app.database.log().page(0, i64::MAX).await.unwrap();
    let rows = replay::rows::<Category>(&app.database.pool).await;
    assert_eq!(rows, replay::replay::<Category>(&events));
}

/// The comparison that ended the build of the second generation.
async fn comparison(app: &App) -> Value {
    let sql = "select comparison from generations where generation = 2";
    let found = sqlx::query_scalar(sql).fetch_one(&app.database.pool);
    found.await.unwrap()
}

#[tokio::test]
async fn a_column_that_is_computed_otherwise_is_a_difference() {
    let app = App::builder().projector().queries().start().await;
    let category = app.category(None).await;
    app.settle().await;
    // As a projector writes it, so that Postgres does not make the column of the document.
    let sql = "set tidemark.columns = 'written';
               update category_rows set sort_order = 77 where generation = 1;
               reset tidemark.columns";
    let mut connection = app.database.pool.acquire().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut *connection).await.unwrap();
    let compared = order(&app, &["rebuild", "category"]).await;
    assert_eq!(compared.status.code(), Some(DIFFERENT), "{compared:?}");
    let found = comparison(&app).await;
    assert_eq!(found["different_rows"], 1, "{found}");
    let difference = &found["differences"][0];
    assert_eq!(difference["id"], json!(category), "{found}");
    assert_eq!(difference["fields"], json!({}), "{found}");
    let columns = difference["columns"].as_object().unwrap();
    assert_eq!(columns.keys().collect::<Vec<_>>(), ["sort_order"]);
    assert_eq!(columns["sort_order"][0], 77, "{found}");
}

/// A projector that soon gives up comparing rows.
async fn impatient() -> App {
    App::builder()
        .set("TIDEMARK_REBUILD__COMPARE_LOOKS_MAX", 3)
        // A row that always changes does so between two looks, also where a commit takes long.
        .set("TIDEMARK_REBUILD__COMPARE_PAUSE_MS", 200)
        .set("TIDEMARK_REBUILD__COMPARE_ATTEMPTS_MAX", 2)
        .set("TIDEMARK_REBUILD__TICK_MS", 50)
        .projector()
        .start()
        .await
}

/// Fails unless the build of categories has ended because this row could not be compared.
async fn assert_undecided(app: &App, category: Uuid, because: &str) {
    let found = comparison(app).await;
    assert_eq!(found["different_rows"], 0, "{found}");
    let expected = json!([{ "id": category, "because": because }]);
    assert_eq!(found["undecided"], expected, "{found}");
    assert_eq!(
        generations(app, "category").await,
        states(&["serving", "building"])
    );
}

/// The row lacks an event in the generation that serves for as long as it is parked there.
#[tokio::test]
async fn a_row_that_is_parked_ends_the_comparison_and_is_compared_anew_once_it_is_made() {
    let app = impatient().await;
    let category = app.category(None).await;
    app.settle().await;
    let poison =
        "alter table category_rows_1 add constraint poison check (doc ->> 'active' = 'true')";
    sqlx::query(poison)
        .execute(&app.database.pool)
        .await
        .unwrap();
    let deactivate = format!("/v1/categories/{category}/deactivate");
    app.admin().await.post_empty(&deactivate).await.ok();
    app.settle().await;
    let undecided = order(&app, &["rebuild", "category"]).await;
    assert_eq!(undecided.status.code(), Some(UNDECIDED), "{undecided:?}");
    let output = String::from_utf8(undecided.stdout).unwrap();
    assert!(
        output.contains("`resume` compares all rows anew"),
        "{output}"
    );
    assert!(output.contains(&category.to_string()), "{output}");
    assert_undecided(&app, category, "parked").await;

    let repair = "alter table category_rows_1 drop constraint poison";
    sqlx::query(repair)
        .execute(&app.database.pool)
        .await
        .unwrap();
    for remedy in [
        &["parked", "retry", "category", &category.to_string()][..],
        &["resume", "category"],
    ] {
        let ordered = order(&app, remedy).await;
        assert!(ordered.status.success(), "{ordered:?}");
    }
    eventually("the new generation to serve", || async {
        (generations(&app, "category").await == states(&["kept", "serving"])).then_some(())
    })
    .await;
}

/// Queries for the row would fail.
#[tokio::test]
async fn a_generation_with_more_parked_rows_does_not_serve_and_says_so() {
    let app = impatient().await;
    let category = app.category(None).await;
    app.settle().await;
    let poison = "alter table category_rows add constraint poison check (generation = 1) not valid";
    let repair = "alter table category_rows drop constraint poison";
    for (arguments, outcome) in [
        (&["rebuild", "category"][..], "could not be compared"),
        (
            &["rebuild", "category", "--expect-changes"],
            "does not serve yet",
        ),
    ] {
        sqlx::query(poison)
            .execute(&app.database.pool)
            .await
            .unwrap();
        let ended = order(&app, arguments).await;
        assert_eq!(ended.status.code(), Some(UNDECIDED), "{ended:?}");
        let output = String::from_utf8(ended.stdout).unwrap();
        assert!(output.contains(outcome), "{output}");
        sqlx::query(repair)
            .execute(&app.database.pool)
            .await
            .unwrap();
        let retry = order(
            &app,
            &["parked", "retry", "category", &category.to_string()],
        )
        .await;
        assert!(retry.status.success(), "{retry:?}");
        if outcome == "could not be compared" {
            let cancelled = order(&app, &["cancel", "category"]).await;
            assert!(cancelled.status.success(), "{cancelled:?}");
        }
    }
    eventually("the new generation to serve", || async {
        let expected = states(&["kept", "dropped", "serving"]);
        (generations(&app, "category").await == expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_row_that_always_changes_ends_the_comparison() {
    let app = impatient().await;
    let category = app.category(None).await;
    app.settle().await;
    let stop = CancellationToken::new();
    let changing = async {
        while !stop.is_cancelled() {
            let sql = "update category_rows set position = position + 1 where generation = 1";
            sqlx::query(sql).execute(&app.database.pool).await.unwrap();
        }
    };
    let rebuilding = async {
        let rebuilt = order(&app, &["rebuild", "category"]).await;
        stop.cancel();
        rebuilt
    };
    let (undecided, ()) = tokio::join!(rebuilding, changing);
    assert_eq!(undecided.status.code(), Some(UNDECIDED), "{undecided:?}");
    assert_undecided(&app, category, "changing").await;
}

#[tokio::test]
async fn a_build_can_be_paused_compared_alone_and_goes_on_after_a_kill() {
    let app = App::start().await;
    app.category(None).await;
    let begun = order(&app, &["rebuild", "category", "--dry-run", "--detach"]).await;
    assert!(begun.status.success(), "{begun:?}");
    assert!(order(&app, &["pause", "category"]).await.status.success());
    let mut projector = app.spawn_projector().await;
    eventually("the serving generation to be followed", || async {
        let position: i64 = sqlx::query_scalar(
            "select position from checkpoints where read_model = 'category' and generation = 1",
        )
        .fetch_one(&app.database.pool)
        .await
        .unwrap();
        (position > 0).then_some(())
    })
    .await;
    let built: i64 = sqlx::query_scalar("select count(*) from category_rows where generation = 2")
        .fetch_one(&app.database.pool)
        .await
        .unwrap();
    assert_eq!(built, 0, "the build is paused");
    projector.kill().await;
    assert!(order(&app, &["resume", "category"]).await.status.success());
    let _projector = app.spawn_projector().await;
    eventually("the build to be compared and dropped", || async {
        (generations(&app, "category").await == states(&["serving", "dropped"])).then_some(())
    })
    .await;
    assert!(
        !replay::rows::<Category>(&app.database.pool)
            .await
            .is_empty()
    );
}

/// A generation of an older fold stands for that of the build before.
#[tokio::test]
async fn a_build_with_another_fold_makes_a_generation_of_its_own_and_lets_it_serve() {
    let app = App::builder().queries().start().await;
    let category = app.category(None).await;
    let sql = "update generations set fold_version = 0 where read_model = 'category'";
    sqlx::query(sql).execute(&app.database.pool).await.unwrap();
    let _projector = app.spawn_projector().await;
    eventually("the new generation to serve", || async {
        (generations(&app, "category").await == states(&["kept", "serving"])).then_some(())
    })
    .await;
    let path = format!("/v1/categories/{category}");
    assert_eq!(app.client.get(&path).await.ok().body["id"], json!(category));
    let rolled_back = order(&app, &["rollback", "category"]).await;
    assert!(
        !rolled_back.status.success(),
        "no projector has that fold: {rolled_back:?}"
    );
}

#[tokio::test]
async fn a_read_model_that_does_not_exist_is_refused_by_name() {
    let app = App::start().await;
    let refused = order(&app, &["rebuild", "auktion"]).await;
    assert!(!refused.status.success());
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(
        error.contains("`auktion`") && error.contains("auction, bid"),
        "{error}"
    );
}
