//! Appends that have to be repeated, and a log that lost events.

use serde_json::json;
use tidemark_tests::market::{INCREMENT, STARTING_PRICE};
use tidemark_tests::proxy::{Direction, Fault, Proxy};
use tidemark_tests::{App, Process, eventually};

use crate::log::time::move_time_of_head;
use crate::log::timelines::fork;

#[tokio::test]
async fn appends_without_an_answer_and_too_early_or_late_ones_are_measured() {
    let mut app = App::builder()
        .set("TIDEMARK_EXECUTOR__DECISION_AGE_MAX_MS", 500)
        .start()
        .await;
    let postgres = Proxy::before_postgres(&mut app.settings, "APPEND").await;
    let process = app.spawn_command_api().await;
    let (unknown, early, late) = (
        "tidemark_executor_unknown_outcomes_total",
        "tidemark_executor_early_batches_total",
        "tidemark_executor_late_batches_total",
    );
    for counter in [unknown, early, late] {
        process.measures(counter, "", |it| it == 0.0).await;
    }
    let auction = app.market().await.auction(json!({})).await;
    let bidder = app.user().await.via_command_api(&process.url);
    let mut amounts = (STARTING_PRICE..).step_by(usize::try_from(INCREMENT).unwrap());
    let mut bid = || bidder.bid(auction, amounts.next().unwrap());
    // All that a bid rests on is in memory afterwards, and nobody else contends for the log any more.
    for _ in 0..2 {
        bid().await.ok();
    }

    let before = app.database.head().await;
    postgres.set(Direction::Down, Fault::BlackHole);
    let cutting = async {
        eventually("the bid to be committed", || async {
            (app.database.head().await > before).then_some(())
        })
        .await;
        postgres.heal();
        postgres.cut();
    };
    let (answer, ()) = tokio::join!(bid(), cutting);
    answer.ok();
    process.measures(unknown, "", |it| it > 0.0).await;

    // What waits for the head of the log grows old meanwhile.
    let mut lock = app.database.pool.begin().await.unwrap();
    let sql = "select from log_head for update";
    sqlx::query(sql).execute(&mut *lock).await.unwrap();
    let waiting = async {
        eventually("the bid to wait", || async {
            let waits: bool = sqlx::query_scalar(
                "select exists (select from pg_stat_activity
                                 where datname = current_database()
                                   and usename = 'tidemark_append'
                                   and wait_event_type = 'Lock')",
            )
            .fetch_one(&app.database.pool)
            .await
            .unwrap();
            waits.then_some(())
        })
        .await;
        let sleep = sqlx::query("select pg_sleep(0.7)").execute(&mut *lock);
        sleep.await.unwrap();
        lock.rollback().await.unwrap();
    };
    let (answer, ()) = tokio::join!(bid(), waiting);
    answer.ok();
    process.measures(late, "", |it| it > 0.0).await;

    // The process follows a clock that is an hour ahead and then set back.
    move_time_of_head(&app.database.pool, 3_600).await;
    let body = json!({"name": "Lamps", "slug": "lamps"});
    let refused = bidder.post("/v1/categories", &body).await;
    refused.problem(403, "role_required");
    move_time_of_head(&app.database.pool, 0).await;
    bidder.post("/v1/categories", &body).await.any_problem();
    process.measures(early, "", |it| it > 0.0).await;
}

#[tokio::test]
async fn a_log_that_was_set_back_is_measured_until_a_fork_is_declared() {
    let app = App::start().await;
    let (process, projector) = (app.spawn_command_api().await, app.spawn_projector().await);
    let auction = app.market().await.auction(json!({})).await;
    let bidder = app.user().await.via_command_api(&process.url);
    bidder.bid(auction, 1_000).await.ok();
    app.settle().await;
    let (set_back, discarded) = (
        "tidemark_executor_set_back",
        "tidemark_ring_discarded_total",
    );
    let is_set_back = async |process: &Process, is_so: fn(f64) -> bool| {
        eventually(
            "the log to be known as set back, or not any more",
            || async {
                bidder.bid(auction, 5_000).await;
                let measured = process.measured(set_back).await;
                measured.get("").copied().filter(|it| is_so(*it))
            },
        )
        .await;
    };
    projector.measures(discarded, "", |it| it == 0.0).await;
    app.database.back_up().await;
    bidder.bid(auction, 1_100).await.ok();
    app.settle().await;
    app.database.restore(".*", "").await;
    is_set_back(&process, |it| it > 0.0).await;
    projector.measures(discarded, "", |it| it > 0.0).await;
    fork(&app, &[]).await;
    is_set_back(&process, |it| it == 0.0).await;
}
