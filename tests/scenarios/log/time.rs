//! Decisions rest on the time of Postgres, whatever a process takes for the time.

use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool};
use tidemark_tests::App;
use tidemark_tests::market::{INCREMENT, STARTING_PRICE};

/// Makes the last event seem recorded this many seconds from now, as if Postgres's clock had shown that.
pub(crate) async fn move_time_of_head(pool: &PgPool, seconds: i32) {
    let sql = format!(
        "alter table events disable trigger events_are_for_ever;
         update log_head set recorded_at = clock_timestamp() + interval '{seconds} seconds';
         update events
            set recorded_at = log_head.recorded_at
           from log_head
          where events.position = log_head.position;
         alter table events enable trigger events_are_for_ever;"
    );
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(pool)
        .await
        .unwrap();
}

/// The process follows a clock that is an hour ahead and then set back: what it takes for the time is an hour
/// ahead of Postgres.
#[tokio::test]
async fn a_decision_from_the_future_is_decided_again() {
    let app = App::start().await;
    let market = app.market().await;
    let ends_at = app.database.in_seconds(1_800).await;
    let auction = market.auction(json!({"ends_at": ends_at})).await;
    let bidder = app.user().await;
    bidder.bid(auction, STARTING_PRICE).await.ok();

    move_time_of_head(&app.database.pool, 3_600).await;
    let body = json!({"name": "Lamps", "slug": "lamps"});
    let refused = bidder.post("/v1/categories", &body).await;
    refused.problem(403, "role_required");
    move_time_of_head(&app.database.pool, 0).await;

    let next = STARTING_PRICE + INCREMENT;
    bidder.bid(auction, next).await.ok();
    let timer = app.reactor("auction-timer");
    let close = format!("/v1/auctions/{auction}/close");
    timer.post_empty(&close).await.problem(409, "not_due");
}

/// Postgres's clock was an hour ahead and is right again. The log's time stands still for that hour; decisions
/// rest on it and go on.
#[tokio::test]
async fn auctions_go_on_after_the_clock_of_postgres_was_ahead() {
    let app = App::start().await;
    let second = app.spawn_command_api().await;
    let market = app.market().await;
    let ends_at = app.database.in_seconds(7_200).await;
    let running = market.auction(json!({"ends_at": ends_at})).await;
    let ends_at = app.database.in_seconds(1_800).await;
    let passed = market.auction(json!({"ends_at": ends_at})).await;
    let (one, other) = (app.user().await, app.user().await);
    let other = other.via_command_api(&second.url);

    move_time_of_head(&app.database.pool, 3_600).await;
    for step in 0..5 {
        let amount = STARTING_PRICE + 2 * step * INCREMENT;
        one.bid(running, amount).await.ok();
        // More time passes than a decision may be ahead of the log.
        sqlx::query("select pg_sleep(0.15)")
            .execute(&app.database.pool)
            .await
            .unwrap();
        other.bid(running, amount + INCREMENT).await.ok();
    }
    one.bid(passed, STARTING_PRICE)
        .await
        .problem(409, "auction_over");
    let close = |auction| format!("/v1/auctions/{auction}/close");
    let timer = app.reactor("auction-timer");
    timer.post_empty(&close(passed)).await.ok();
    timer
        .post_empty(&close(running))
        .await
        .problem(409, "not_due");
    let set_back: i64 = sqlx::query_scalar(
        "select count(*)
           from (select recorded_at, lag(recorded_at) over (order by position) as earlier
                   from events) as times
          where recorded_at < earlier",
    )
    .fetch_one(&app.database.pool)
    .await
    .unwrap();
    assert_eq!(set_back, 0, "the time of the log went back");
}
