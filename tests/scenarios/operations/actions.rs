//! Operators find the actions that were given up, and have them tried again, on record.

use axum::Router;
use axum::http::StatusCode;
use serde_json::{Value, json};
use tidemark_tests::market::STARTING_PRICE;
use tidemark_tests::{App, Process, eventually};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What the tool lists of the action with this target.
async fn listed(app: &App, target: &str) -> Option<Value> {
    let arguments = ["actions", "list", "--json"];
    let tool = Process::operators_tool(&app.settings, &arguments).await;
    assert!(tool.status.success(), "{tool:?}");
    let actions: Vec<Value> = serde_json::from_slice(&tool.stdout).unwrap();
    actions.into_iter().find(|it| it["target"] == target)
}

/// A bid that comes before the timer opens the auction itself.
#[tokio::test]
async fn an_action_whose_work_was_done_is_not_listed() {
    let app = App::start().await;
    let auction = app.market().await.auction(json!({})).await;
    app.user().await.bid(auction, STARTING_PRICE).await.ok();
    let _projector = app.another_projector().await;
    let opening = || async {
        let outcome = sqlx::query_scalar(
            "select outcome from reactor_actions where target = 'open' and done_at is not null",
        );
        let outcome = outcome.fetch_optional(&app.database.pool).await;
        outcome.unwrap()
    };
    let outcome: String = eventually("the opening to end", opening).await;
    assert_eq!(outcome, "done");
    assert_eq!(listed(&app, "open").await, None);
}

/// Owners may do that at any time, and operators have nothing to do about it.
#[tokio::test]
async fn a_task_that_was_paused_or_retired_leaves_no_action_in_the_list() {
    let app = App::builder().projector().start().await;
    eventually("the reactor to begin", || async {
        let sql = "select exists (select from reactors where name = 'task-clock')";
        let has_begun = sqlx::query_scalar(sql).fetch_one(&app.database.pool).await;
        let has_begun: bool = has_begun.unwrap();
        has_begun.then_some(())
    })
    .await;
    let user = app.user().await;
    for ends in ["pause", "retire"] {
        let task = json!({
            "name": "Sync",
            "url": format!("https://hooks.invalid/{ends}"),
            "cron": "* * * * * *",
            "zone": "UTC",
            "delay_max_s": 0,
        });
        let id = user.post("/v1/tasks", &task).await.ok().id();
        let path = format!("/v1/tasks/{id}/{ends}");
        user.post_empty(&path).await.ok();
    }
    eventually("no slot to wait", || async {
        let sql = "select count(*) filter (where done_at is null), count(*)
                     from reactor_actions
                    where target = 'take-slot'";
        let counts: (i64, i64) = sqlx::query_as(sql)
            .fetch_one(&app.database.pool)
            .await
            .unwrap();
        (counts.0 == 0 && counts.1 >= 2).then_some(())
    })
    .await;
    assert_eq!(listed(&app, "take-slot").await, None);
}

/// Serves a command API at this address that refuses everything, until the token is cancelled.
async fn refuse_everything(address: &str, stop: CancellationToken) {
    let refusal = r#"{"code":"auction_over"}"#;
    let refuse = Router::new().fallback(async move || (StatusCode::CONFLICT, refusal));
    let listener = TcpListener::bind(address).await.unwrap();
    let served = axum::serve(listener, refuse).with_graceful_shutdown(stop.cancelled_owned());
    served.await.unwrap();
}

#[tokio::test]
async fn an_action_that_was_given_up_is_listed_retried_and_done() {
    let mut app = App::builder().projector().start().await;
    let auction = app.auction_that_ends_without_command_api().await;
    let stop = CancellationToken::new();
    let address = app.command_url().trim_start_matches("http://").to_owned();
    let refuse = tokio::spawn({
        let stop = stop.clone();
        async move { refuse_everything(&address, stop).await }
    });
    let listed_action = eventually("the close to be given up", || listed(&app, "close")).await;
    stop.cancel();
    refuse.await.unwrap();
    app.start_command_api().await;

    assert_eq!(listed_action["reactor"], "auction-timer");
    assert_eq!(
        listed_action["path"],
        format!("/v1/auctions/{auction}/close")
    );
    assert_eq!(listed_action["refusal"], "409 auction_over");
    let settings = app.settings.as_service("operator");
    let position = listed_action["position"].to_string();
    let retry = ["actions", "retry", "auction-timer", &position, "close"];
    let unexplained = Process::operators_tool(&settings, &retry).await;
    assert!(!unexplained.status.success(), "{unexplained:?}");
    let retry = [&retry[..], &["--reason", "as an exercise"]].concat();
    let tool = Process::operators_tool(&settings, &retry).await;
    assert!(tool.status.success(), "{tool:?}");
    eventually("the auction to close", || async {
        let closed: bool = sqlx::query_scalar(
            "select exists (select from events where stream_id = $1 and type = 'auction.closed')",
        )
        .bind(auction)
        .fetch_one(&app.database.pool)
        .await
        .unwrap();
        closed.then_some(())
    })
    .await;
    let on_record: (String, Value) = sqlx::query_as(
        "select metadata->>'actor', data::jsonb - 'retry_id' from events where type = 'retry.requested'",
    )
    .fetch_one(&app.database.pool)
    .await
    .unwrap();
    let expected = json!({
        "reactor": "auction-timer",
        "cause_position": listed_action["position"],
        "target": "close",
        "refusal": "409 auction_over",
        "reason": "as an exercise",
    });
    assert_eq!(on_record, ("service:operator".to_owned(), expected));

    app.settle().await;
    assert_eq!(listed(&app, "close").await, None);
    let again = Process::operators_tool(&settings, &retry).await;
    assert!(!again.status.success(), "what is done is not tried again");
}

#[tokio::test]
async fn a_dropped_action_is_on_record_and_never_tried_again() {
    let mut app = App::builder().projector().start().await;
    let auction = app.auction_that_ends_without_command_api().await;
    let position = eventually("the close to wait", || async {
        let sql = "update reactor_actions
                      set next_attempt_at = 'infinity'
                    where target = 'close' and path like '%' || $1 || '%' and done_at is null
                   returning position";
        let waiting = sqlx::query_scalar::<_, i64>(sql).bind(auction.to_string());
        waiting.fetch_optional(&app.database.pool).await.unwrap()
    })
    .await;
    app.start_command_api().await;
    let settings = app.settings.as_service("operator");
    let position = position.to_string();
    let arguments = [
        "actions",
        "drop",
        "auction-timer",
        &position,
        "close",
        "--reason",
        "as an exercise",
    ];
    let tool = Process::operators_tool(&settings, &arguments).await;
    assert!(tool.status.success(), "{tool:?}");
    let outcome: (String, bool) = sqlx::query_as(
        "select outcome, done_at is not null from reactor_actions where target = 'close'",
    )
    .fetch_one(&app.database.pool)
    .await
    .unwrap();
    assert_eq!(outcome, ("dropped".to_owned(), true));
    assert_eq!(listed(&app, "close").await, None);
    let on_record: Value =
        sqlx::query_scalar("select data->'reason' from events where type = 'retry.dropped'")
            .fetch_one(&app.database.pool)
            .await
            .unwrap();
    assert_eq!(on_record, "as an exercise");
    let again = Process::operators_tool(&settings, &arguments).await;
    assert!(!again.status.success(), "it is dropped already: {again:?}");
}
