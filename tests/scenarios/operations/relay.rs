//! Operators see why the relay has stopped, and tell it how to go on.

use serde_json::{Value, json};
use tidemark_tests::{App, Process, eventually};

use crate::projection::replay::assert_rows;

/// The exit code of the tool if the relay has stopped with an alarm.
const ALARM: i32 = 2;

/// What `relay status` prints, and its exit code.
async fn status(app: &App) -> (Value, Option<i32>) {
    let status = ["relay", "status", "--json"];
    let status = Process::operators_tool(&app.settings, &status).await;
    let shown = serde_json::from_slice(&status.stdout);
    (shown.unwrap(), status.status.code())
}

/// How many records all partitions have had, as `relay status` shows it.
fn published(status: &Value) -> i64 {
    let partitions = status["partitions"].as_array().unwrap();
    let offsets = partitions.iter().map(|it| it["next_offset"].as_i64());
    offsets.map(Option::unwrap).sum()
}

/// Has the tool do something as a service. Returns what it printed to standard error if it failed.
async fn execute(app: &App, service: &str, arguments: &[&str]) -> Result<(), String> {
    let settings = app.settings.as_service(service);
    let done = Process::operators_tool(&settings, arguments).await;
    if done.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8(done.stderr).unwrap())
    }
}

#[tokio::test]
async fn what_the_log_does_not_hold_is_not_published_again() {
    let app = App::start().await;
    app.user().await;
    let end = app.database.head().await;
    let republish = |from: i64| {
        let from = from.to_string();
        let app = &app;
        async move {
            let arguments = ["relay", "republish", "--from", &from, "--reason", "r"];
            execute(app, "operator", &arguments).await
        }
    };
    for beyond in [end + 1, 9_007_199_254_740_991] {
        let refused = republish(beyond).await.unwrap_err();
        let expected =
            format!("The log ends before this position, at {end}. (position_not_in_log)");
        assert!(refused.contains(&expected), "{refused}");
        assert_eq!(facts(&app).await, []);
    }
    republish(end).await.unwrap();
}

/// The type, the actor and the data of each event about the relay, without its id.
async fn facts(app: &App) -> Vec<(String, String, Value)> {
    let facts = sqlx::query_as(
        "select type, metadata ->> 'actor', data::jsonb - 'publication_id'
           from events
          where aggregate = 'publication'
          order by position",
    );
    facts.fetch_all(&app.database.pool).await.unwrap()
}

#[tokio::test]
async fn a_relay_that_has_stopped_goes_on_when_the_topics_are_adopted() {
    let mut app = App::builder()
        .relay()
        .projector()
        .queries()
        .set("TIDEMARK_RELAY__ALARM_RETRY_MS", 100)
        .start()
        .await;
    let operator = app.user_with("operator").await;
    let buyer = app.user().await;
    let auction = app.market().await.auction(json!({})).await;
    buyer.bid(auction, 1_000).await.ok();
    app.settle().await;
    app.database.back_up().await;
    for amount in [1_100, 1_200, 1_300] {
        buyer.bid(auction, amount).await.ok();
    }
    app.settle().await;
    app.stop_command_api().await;
    app.database.restore(".*", "").await;
    app.start_command_api().await;
    let fork = ["timeline", "fork", "--reason", "as an exercise"];
    execute(&app, "operator", &fork).await.unwrap();
    buyer.bid(auction, 2_000).await.ok();

    let (stopped, code) = eventually("the relay to stop", || async {
        let (status, code) = status(&app).await;
        status["alarm"].is_string().then_some((status, code))
    })
    .await;
    assert_eq!(code, Some(ALARM), "{stopped}");
    assert_eq!(stopped["condition"], "blocked", "{stopped}");
    let alarm = stopped["alarm"].as_str().unwrap();
    assert!(
        alarm.ends_with("holds a record that is not in the log"),
        "{alarm}"
    );
    let shown = operator.get("/v1/operations/relay").await.ok();
    assert_eq!(shown.body["alarm"], alarm);
    let text = Process::operators_tool(&app.settings, &["status"]).await;
    assert_eq!(text.status.code(), Some(ALARM));
    assert!(
        String::from_utf8_lossy(&text.stdout).contains(alarm),
        "{text:?}"
    );

    let adopt = [
        "relay",
        "adopt",
        "--reason",
        "the backup of Monday was restored",
    ];
    execute(&app, "operator", &adopt).await.unwrap();
    app.settle().await;
    let (status, code) = status(&app).await;
    assert_eq!(
        (code, &status["alarm"]),
        (Some(0), &Value::Null),
        "{status}"
    );
    assert_eq!(status["is_asked"], false, "{status}");
    let partitions = status["partitions"].as_array().unwrap();
    assert!(
        partitions.iter().any(|it| it["adopted_until"] != 0),
        "{status}"
    );
    buyer.bid(auction, 2_100).await.ok();
    app.settle().await;
    assert_rows(&app).await;
    let reason = json!({ "reason": "the backup of Monday was restored" });
    let adopted = (
        "publication.adopted".to_owned(),
        "service:operator".to_owned(),
        reason,
    );
    assert_eq!(facts(&app).await, [adopted]);
}

#[tokio::test]
async fn what_is_published_again_changes_no_row() {
    let app = App::start_all().await;
    let buyer = app.user().await;
    let auction = app.market().await.auction(json!({})).await;
    buyer.bid(auction, 1_000).await.ok();
    app.settle().await;
    let (before, _) = status(&app).await;
    let republish = [
        "relay",
        "republish",
        "--from",
        "2",
        "--reason",
        "as an exercise",
    ];
    execute(&app, "operator", &republish).await.unwrap();
    eventually("the request to be done", || async {
        let (status, _) = status(&app).await;
        (status["is_asked"] == false).then_some(())
    })
    .await;
    buyer.bid(auction, 1_100).await.ok();
    app.settle().await;
    assert_rows(&app).await;
    let (after, _) = status(&app).await;
    // Everything but the first event was published since, the old events for the second time.
    let since = published(&after) - published(&before);
    assert!(since >= after["head"].as_i64().unwrap() - 1, "{after}");
    let data = json!({ "from_position": 2, "reason": "as an exercise" });
    let repeated = (
        "publication.repeated".to_owned(),
        "service:operator".to_owned(),
        data,
    );
    assert_eq!(facts(&app).await, [repeated]);
}

#[tokio::test]
async fn only_a_service_that_may_tells_the_relay_how_to_go_on() {
    let app = App::start().await;
    for order in [&["adopt"][..], &["republish", "--from", "1"]] {
        let arguments = [&["relay"], order, &["--reason", "as an exercise"]].concat();
        let refused = execute(&app, "query-api", &arguments).await.unwrap_err();
        assert!(refused.contains("command_not_allowed"), "{refused}");
    }
    assert_eq!(facts(&app).await, []);
}

#[tokio::test]
async fn an_alarm_that_no_present_term_has_raised_is_none() {
    let app = App::start().await;
    let raised = "update relay_progress set epoch = 7, alarm = 'as an exercise', alarm_epoch = 7";
    let raised = sqlx::query(raised).execute(&app.database.pool).await;
    raised.unwrap();
    let (alarm, code) = status(&app).await;
    assert_eq!(
        (&alarm["alarm"], code),
        (&json!("as an exercise"), Some(ALARM))
    );
    let ended = sqlx::query("update relay_progress set epoch = 8");
    ended.execute(&app.database.pool).await.unwrap();
    let (none, code) = status(&app).await;
    assert_eq!((&none["alarm"], code), (&Value::Null, Some(0)));
    assert_eq!(none["condition"], "not_running");
}

#[tokio::test]
async fn topics_that_the_log_is_no_longer_published_to_are_not_listed() {
    let mut app = App::builder().relay().start().await;
    app.user().await;
    app.settle().await;
    let prefix = |status: &Value| {
        let partitions = status["partitions"].as_array().unwrap();
        let topics = partitions.iter().map(|it| it["topic"].as_str().unwrap());
        let prefixes = topics.map(|it| it.rsplit_once('.').unwrap().0.to_owned());
        prefixes.collect::<std::collections::BTreeSet<_>>()
    };
    let (before, _) = status(&app).await;
    let old = app.settings.get("TIDEMARK_KAFKA__TOPIC_PREFIX").to_owned();
    assert_eq!(prefix(&before), [old.clone()].into());
    let new = format!("{old}-next");
    app.stop_command_api().await;
    app.settings.set("TIDEMARK_KAFKA__TOPIC_PREFIX", &new);
    app.start_command_api().await;
    let after = eventually("the log to be published to other topics", || async {
        let (status, _) = status(&app).await;
        (prefix(&status) == [new.clone()].into()).then_some(status)
    })
    .await;
    assert_eq!(
        after["partitions"].as_array().unwrap().len(),
        before["partitions"].as_array().unwrap().len()
    );
}
