//! Read models are what a replay of the log from zero makes, although projectors are killed and take over
//! from each other.

use std::time::{Duration, Instant};

use serde_json::json;
use tidemark_tests::eventually;
use tidemark_tests::{App, Process};
use tokio_util::sync::CancellationToken;

use super::replay::{assert_all_have_rows, assert_documents, assert_rows, differences};
use super::shards::with_shards;
use super::trade::trade;
use crate::tasks::cancelled_run;

const KILLS: usize = 5;
/// A projector is killed once it has applied this many events.
const APPLIED: i64 = 20;
/// The longest that read models may stand still after a kill.
const TAKEOVER: Duration = Duration::from_secs(5);

/// The checkpoint of a read model, which is that of its slowest shard.
pub(super) async fn checkpoint(app: &App, read_model: &str) -> i64 {
    sqlx::query_scalar("select min(position) from checkpoints where read_model = $1")
        .bind(read_model)
        .fetch_one(&app.database.pool)
        .await
        .unwrap()
}

/// For each projector at work, how many shards of read models it holds leases for.
async fn read_models_per_holder(app: &App) -> Vec<i64> {
    sqlx::query_scalar(
        "select count(*)
           from leases
          where name like 'projection:%'
            and expires_at > clock_timestamp()
          group by holder",
    )
    .fetch_all(&app.database.pool)
    .await
    .unwrap()
}

/// Kills a projector several times while it works, and does `before_each` before it does so. Returns the
/// projector that is left.
pub(super) async fn kill_again_and_again(app: &App, before_each: impl AsyncFn()) -> Process {
    let mut projector = app.spawn_projector().await;
    for _ in 0..KILLS {
        let started_at = checkpoint(app, "history").await;
        eventually("the projector to apply events", || async {
            (checkpoint(app, "history").await > started_at + APPLIED).then_some(())
        })
        .await;
        before_each().await;
        projector.kill().await;
        projector = app.spawn_projector().await;
    }
    projector
}

async fn killed_under_load(app: &App) {
    let stop = CancellationToken::new();
    let killing = async {
        let projector = kill_again_and_again(app, async || {}).await;
        stop.cancel();
        projector
    };
    let (_projector, ()) = tokio::join!(killing, trade(app, &stop));
    app.settle().await;
    assert_rows(app).await;
    assert_documents(app).await;
}

#[tokio::test]
async fn killed_under_load_it_ends_as_a_replay_from_zero() {
    killed_under_load(&App::start().await).await;
}

#[tokio::test]
async fn killed_under_load_shards_end_as_a_replay_from_zero() {
    killed_under_load(&with_shards(App::builder()).start().await).await;
}

async fn two_projectors_share_and_one_takes_over(app: &App) {
    let (market, buyer) = (app.market().await, app.user().await);
    let mut first = app.spawn_projector().await;
    let _second = app.spawn_projector().await;
    eventually("both projectors to hold leases", || async {
        (read_models_per_holder(app).await.len() == 2).then_some(())
    })
    .await;
    app.settle().await;

    let killed = Instant::now();
    first.kill().await;
    buyer.bid(market.auction(json!({})).await, 1_000).await.ok();
    let all: i64 = sqlx::query_scalar("select count(*) from checkpoints")
        .fetch_one(&app.database.pool)
        .await
        .unwrap();
    eventually("one projector to hold all leases", || async {
        (read_models_per_holder(app).await == [all]).then_some(())
    })
    .await;
    app.settle().await;
    assert!(killed.elapsed() < TAKEOVER, "{:?}", killed.elapsed());
    assert_rows(app).await;
    assert_documents(app).await;
}

#[tokio::test]
async fn two_projectors_share_the_read_models_and_one_takes_over_from_the_other() {
    two_projectors_share_and_one_takes_over(&App::start().await).await;
}

#[tokio::test]
async fn two_projectors_share_the_shards_and_one_takes_over_from_the_other() {
    let app = with_shards(App::builder()).start().await;
    two_projectors_share_and_one_takes_over(&app).await;
}

/// The positive control of these tests: comparing rows finds every row that was changed, and there are
/// rows of every read model to compare.
#[tokio::test]
async fn a_row_that_differs_from_a_replay_is_detected() {
    let app = App::builder().projector().start().await;
    let (market, buyer) = (app.market().await, app.user().await);
    let auction = market.auction(json!({})).await;
    buyer.bid(auction, 1_000).await.ok();
    market.notification(buyer.id).await;
    buyer.watch(auction).await.ok();
    app.unreachable_user().await;
    app.template().await;
    cancelled_run(&buyer).await;
    market.picture().await;
    app.settle().await;
    assert_all_have_rows(&app).await;
    assert_rows(&app).await;
    let wrongs = [
        "update auction_rows set position = position + 1",
        "update product_rows set doc = replace(doc::text, 'good', 'fair')::json where status = 'listed'",
        "delete from bid_rows",
        "update inbox_rows set position = position + 1 where doc ->> 'unread' = '1'",
        "update notification_rows set position = position + 1",
        "delete from preferences_rows where position = (select min(position) from preferences_rows)",
        "insert into category_rows (generation, id, doc, position)
         select generation, gen_random_uuid(), doc, position from category_rows",
    ];
    for (count, wrong) in (1..).zip(wrongs) {
        let changed = sqlx::query(wrong).execute(&app.database.pool).await;
        assert_eq!(changed.unwrap().rows_affected(), 1);
        assert_eq!(differences(&app).await.len(), count, "after {wrong}");
    }
}
