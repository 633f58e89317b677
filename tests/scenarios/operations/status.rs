//! Operators see how far everything is, on the command line and in the query API alike.

use serde_json::{Value, json};
use tidemark_tests::{App, Process, User, eventually};

/// What the tool shows.
async fn status(app: &App) -> Value {
    let tool = Process::operators_tool(&app.settings, &["status", "--json"]).await;
    serde_json::from_slice(&tool.stdout).unwrap()
}

/// The serving shard of a read model with one shard, as the tool shows it.
async fn shard(app: &App, read_model: &str, generation: i32) -> Value {
    let status = status(app).await;
    let shards = status["read_models"].as_array().unwrap();
    let mut shards = shards
        .iter()
        .filter(|it| it["name"] == read_model && it["generation"] == generation);
    shards.next().cloned().unwrap_or_default()
}

/// The items of a list that operators see.
async fn items(operator: &User, list: &str) -> Vec<Value> {
    let page = operator.get(&format!("/v1/operations/{list}")).await.ok();
    page.body["items"].as_array().unwrap().clone()
}

/// What is the same at two looks at what stands still.
fn lasting(mut item: Value) -> Value {
    for passing in ["lag_s", "rate", "eta_s", "next_due_at"] {
        item[passing] = Value::Null;
    }
    item
}

#[tokio::test]
async fn the_tool_and_the_api_show_the_same() {
    let app = App::start_all().await;
    let operator = app.user_with("operator").await;
    app.market().await.auction(json!({})).await;
    app.settle().await;
    let shown = eventually("everything to be idle", || async {
        let status = status(&app).await;
        let lists = [&status["read_models"], &status["reactors"]];
        let mut items = lists.iter().flat_map(|it| it.as_array().unwrap());
        let is_idle = items.all(|it| it["condition"] == "idle");
        (is_idle && status["relay"]["condition"] == "idle").then_some(status)
    })
    .await;
    for (list, name) in [("read-models", "read_models"), ("reactors", "reactors")] {
        let expected = shown[name].as_array().unwrap().iter().cloned().map(lasting);
        let found = items(&operator, list).await.into_iter().map(lasting);
        assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }
    let relay = operator.get("/v1/operations/relay").await.ok();
    assert_eq!(lasting(relay.body), lasting(shown["relay"].clone()));
    let partitions = shown["relay"]["partitions"].as_array().unwrap();
    let positions = partitions.iter().map(|it| it["position"].as_i64());
    assert_eq!(positions.max(), Some(shown["head"].as_i64()));
    let tool = Process::operators_tool(&app.settings, &["relay", "status", "--json"]).await;
    let alone: Value = serde_json::from_slice(&tool.stdout).unwrap();
    assert_eq!(&alone["partitions"], &shown["relay"]["partitions"]);
    let shard = shard(&app, "auction", 1).await;
    assert_eq!(shard["position"], shown["head"]);
    assert_eq!((&shard["lag"], &shard["lag_s"]), (&json!(0), &Value::Null));
    assert!(shard["holder"].is_string(), "{shard}");
}

/// Without a projector, everything stands still.
#[tokio::test]
async fn what_stands_still_is_said_to() {
    let app = App::builder().queries().start().await;
    app.category(None).await;
    let operator = app.user_with("operator").await;
    let shard = || async { shard(&app, "category", 1).await };
    let stopped = shard().await;
    assert_eq!(stopped["condition"], "not_running", "{stopped}");
    assert_eq!(stopped["can_run"], false, "{stopped}");
    let head = app.database.head().await;
    assert_eq!(
        (&stopped["position"], &stopped["lag"]),
        (&json!(0), &json!(head))
    );
    let age = stopped["lag_s"].as_f64().unwrap();
    assert!(age > 0.0, "{stopped}");
    let later = shard().await["lag_s"].as_f64().unwrap();
    assert!(later > age, "the first event grows older");

    let sql = "update checkpoints set blocked = 'on purpose' where read_model = 'category'";
    sqlx::query(sql).execute(&app.database.pool).await.unwrap();
    let blocked = shard().await;
    let expected = (&json!("blocked"), &json!("on purpose"));
    assert_eq!((&blocked["condition"], &blocked["blocked"]), expected);
    let found = items(&operator, "read-models").await;
    let found = found.into_iter().find(|it| it["name"] == "category");
    assert_eq!(lasting(found.unwrap()), lasting(blocked));
}

#[tokio::test]
async fn what_a_reactor_gave_up_is_shown_and_what_it_could_not_answer_needs_help() {
    let app = App::start().await;
    let help = || async {
        let table = Process::operators_tool(&app.settings, &["status"]).await;
        let text = String::from_utf8(table.stdout).unwrap();
        let mut lines = text.lines();
        let line = lines
            .find(|line| line.starts_with("auction-timer"))
            .unwrap();
        (table.status.code(), line.to_owned())
    };
    let give_up = |position: i64, target: &'static str| {
        let sql = "insert into reactor_actions (reactor, position, target, path, event_id, correlation_id,
                                                due_at, next_attempt_at, attempts, done_at, outcome)
                   select 'auction-timer', $1, $2, '', gen_random_uuid(), gen_random_uuid(), now(), now(), 1, now(), '409 auction_over'";
        let given_up = sqlx::query(sql).bind(position).bind(target);
        given_up.execute(&app.database.pool)
    };
    for position in [1, 2] {
        give_up(position, "close").await.unwrap();
    }
    let (code, line) = help().await;
    assert_eq!(code, Some(0), "{line}");
    assert!(line.ends_with(", 2 refused"), "{line}");
    give_up(3, "answer").await.unwrap();
    let (code, line) = help().await;
    assert_eq!(code, Some(2), "{line}");
    assert!(line.ends_with(", 2 refused, 1 unanswered"), "{line}");
    let reactors = status(&app).await["reactors"].clone();
    let mut reactors = reactors.as_array().unwrap().iter();
    let timer = reactors.find(|it| it["name"] == "auction-timer").unwrap();
    assert_eq!(
        (&timer["refused"], &timer["unanswered"]),
        (&json!(2), &json!(1))
    );

    let dropped = "update reactor_actions set outcome = 'dropped'";
    sqlx::query(dropped)
        .execute(&app.database.pool)
        .await
        .unwrap();
    let (code, line) = help().await;
    assert_eq!(code, Some(0), "{line}");
    assert!(!line.contains("unanswered"), "{line}");
}

#[tokio::test]
async fn a_build_shows_how_far_it_is() {
    let app = App::builder().set("TIDEMARK_REBUILD__LEVEL_EVENTS", 0);
    let app = app.projector().start().await;
    app.category(None).await;
    let settings = app.settings.as_service("operator");
    let begin = [
        "rebuild",
        "category",
        "--reason",
        "as an exercise",
        "--detach",
    ];
    // A row in no other generation keeps the new one from serving.
    let sql = "insert into category_rows (generation, id, doc, position)
               select 1, gen_random_uuid(), doc, position from category_rows";
    app.settle().await;
    sqlx::query(sql).execute(&app.database.pool).await.unwrap();
    assert!(
        Process::operators_tool(&settings, &begin)
            .await
            .status
            .success()
    );
    let built = eventually("the generation to be built", || async {
        let shard = shard(&app, "category", 2).await;
        (shard["percent"] == 100.0).then_some(shard)
    })
    .await;
    assert_eq!(built["condition"], "building", "{built}");
    assert_eq!(built["state"], "building", "{built}");
    assert!(built["rate"].as_f64().unwrap() > 0.0, "{built}");
    assert_eq!(built["eta_s"], 0.0, "{built}");
    let table = Process::operators_tool(&app.settings, &["status"]).await;
    let table = String::from_utf8(table.stdout).unwrap();
    let mut lines = table.lines();
    let line = lines.find(|line| line.contains("building")).unwrap();
    assert_eq!(line.matches("building").count(), 1, "{line}");
    let pause = ["pause", "category", "--reason", "as an exercise"];
    assert!(
        Process::operators_tool(&settings, &pause)
            .await
            .status
            .success()
    );
    assert_eq!(shard(&app, "category", 2).await["condition"], "paused");
}

#[tokio::test]
async fn who_watches_sees_rates_in_a_line_for_each_look() {
    let app = App::builder().projector().start().await;
    let watch = ["status", "--watch", "--json"];
    let trade = async { app.market().await.auction(json!({})).await };
    let ((lines, _), _) = tokio::join!(
        Process::lines_of_operators_tool(&app.settings, &watch, 3),
        trade
    );
    let looks: Vec<Value> = lines
        .iter()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    let rate = |look: usize| looks[look]["read_models"][0]["rate"].as_f64();
    assert_eq!(rate(0), None, "one look knows no rate");
    let position = |look: usize| looks[look]["read_models"][0]["position"].as_i64().unwrap();
    for look in [1, 2] {
        let has_moved = position(look) > position(look - 1);
        assert_eq!(rate(look).unwrap() > 0.0, has_moved, "{looks:?}");
    }
}

#[tokio::test]
async fn an_action_that_is_to_be_sent_later_does_not_fail() {
    let app = App::builder().queries().start().await;
    let sql = "
        insert into reactors (name) values ('auction-timer') on conflict do nothing;
        insert into reactor_actions
               (reactor, position, target, path, event_id, correlation_id, due_at, next_attempt_at, attempts, outcome)
        select 'auction-timer', n, 'close', '/v1/auctions', gen_random_uuid(), gen_random_uuid(),
               clock_timestamp(), clock_timestamp() + interval '1 hour', 1, outcome
          from (values (1, 'not yet'), (2, '503 overloaded')) as tried (n, outcome)";
    sqlx::raw_sql(sql)
        .execute(&app.database.pool)
        .await
        .unwrap();
    let operator = app.user_with("operator").await;
    let reactors = items(&operator, "reactors").await;
    assert_eq!(
        (&reactors[0]["due"], &reactors[0]["failing"]),
        (&json!(2), &json!(1))
    );
}
