//! What operators list in the query API: who may, and that no page loses or repeats anything.

use serde_json::{Value, json};
use tidemark_tests::{App, Process, User};

use crate::log::timelines::fork;

/// The lists, and the relay.
const PATHS: [&str; 6] = [
    "/v1/operations/read-models",
    "/v1/operations/reactors",
    "/v1/operations/relay",
    "/v1/operations/parked-rows",
    "/v1/operations/actions",
    "/v1/operations/timelines",
];
/// How many rows are parked at one moment, and as many actions given up.
const ROWS: usize = 5;

#[tokio::test]
async fn nobody_but_operators_sees_how_the_system_is() {
    let app = App::builder().queries().start().await;
    let operator = app.user_with("operator").await;
    let auditor = app.auditor().await;
    for path in PATHS {
        app.client.get(path).await.problem(401, "unauthenticated");
        let service = app.service("operator");
        service.get(path).await.any_problem();
        for user in [&auditor, app.admin().await] {
            user.get(path).await.problem(403, "role_required");
        }
        let shown = operator.get(path).await.ok();
        let head = app.database.head().await;
        assert_eq!(shown.tidemark(), format!("1.{head}"));
        let future = operator.with_tidemark(&format!("1.{}", head + 1_000));
        future.get(path).await.problem(400, "future_position");
        let other = operator.with_tidemark("2.1");
        other.get(path).await.problem(409, "other_timeline");
    }
}

/// All items of a list, read in pages of two.
async fn read_all(operator: &User, path: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let mut next = String::new();
    loop {
        let page = operator.get(&format!("{path}?limit=2{next}")).await.ok();
        items.extend(page.body["items"].as_array().unwrap().clone());
        match page.body["next"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => return items,
        }
    }
}

#[tokio::test]
async fn each_list_is_read_in_pages() {
    let app = App::builder().queries().start().await;
    let operator = app.user_with("operator").await;
    // All of them were parked, and all ended, at one moment.
    let sql = format!(
        "insert into parked (read_model, generation, shard, id, kind, position, reason, tried_by, parked_at)
         select 'auction', 1, 0, gen_random_uuid(), 'row', n, 'on purpose', '', '2026-01-01'
           from generate_series(1, {ROWS}) n;
         insert into parked_events (read_model, generation, id, position)
         select read_model, generation, id, position from parked;
         insert into reactors (name) values ('auction-timer') on conflict do nothing;
         insert into reactor_actions (reactor, position, target, path, event_id, correlation_id, due_at,
                                      next_attempt_at, attempts, done_at, outcome)
         select 'auction-timer', n, 'close', '/v1/auctions/1/close', gen_random_uuid(), gen_random_uuid(),
                '2026-01-01', '2026-01-01', 1, '2026-01-02', '409 auction_over'
           from generate_series(1, {ROWS}) n"
    );
    let insert = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
    insert.execute(&app.database.pool).await.unwrap();
    let column = |items: Vec<Value>, name: &str| {
        let mut column: Vec<_> = items.iter().map(|it| it[name].to_string()).collect();
        column.sort();
        column
    };
    let expected: Vec<_> = (1..=ROWS).map(|it| it.to_string()).collect();
    let parked = read_all(&operator, "/v1/operations/parked-rows").await;
    assert!(
        parked
            .iter()
            .all(|it| it["waiting"] == 1 && it["reason"] == "on purpose")
    );
    assert_eq!(column(parked, "position"), expected);
    let actions = read_all(&operator, "/v1/operations/actions").await;
    assert_eq!(column(actions, "position"), expected);
    let read_models = read_all(&operator, "/v1/operations/read-models").await;
    let found = column(read_models, "name");
    let expected = [
        "auction",
        "bid",
        "category",
        "delivery",
        "history",
        "inbox",
        "media",
        "notification",
        "preferences",
        "product",
        "profile",
        "suppression",
        "task",
        "task_health",
        "task_run",
        "template",
        "watch",
    ];
    assert_eq!(found, expected.map(|it| format!("\"{it}\"")));
    let cursor = operator.get("/v1/operations/actions?limit=1").await.ok();
    let cursor = cursor.body["next"].as_str().unwrap();
    let other = format!("/v1/operations/parked-rows?cursor={cursor}");
    operator.get(&other).await.problem(400, "invalid_cursor");
}

#[tokio::test]
async fn timelines_are_listed_as_the_tool_lists_them() {
    let app = App::builder().queries().start().await;
    let operator = app.user_with("operator").await;
    for _ in 0..2 {
        fork(&app, &[]).await;
    }
    let listed = read_all(&operator, "/v1/operations/timelines").await;
    let tool = ["timeline", "list", "--json"];
    let tool = Process::operators_tool(&app.settings, &tool).await;
    assert_eq!(
        serde_json::from_slice::<Vec<Value>>(&tool.stdout).unwrap(),
        listed
    );
    let head = app.database.head().await;
    let [present, before, first] = &listed[..] else {
        panic!("{listed:?}");
    };
    let expected = json!({
        "id": present["id"],
        "parent": before["id"],
        "forked_at": head - 1,
        "position": head,
        "declared_at": present["declared_at"],
        "declared_by": "service:operator",
        "reason": "as an exercise",
        "set_back": false,
    });
    assert_eq!(*present, expected);
    assert!(present["declared_at"].is_string(), "{present}");
    assert_eq!((&first["id"], &first["parent"]), (&json!(1), &Value::Null));
}

/// Commands are refused then, so operators must see it where they look.
#[tokio::test]
async fn that_the_log_was_set_back_is_shown_with_its_timeline() {
    let app = App::builder().queries().start().await;
    let operator = app.user_with("operator").await;
    fork(&app, &[]).await;
    let set_back = "update log_head set set_back = true";
    sqlx::query(set_back)
        .execute(&app.database.pool)
        .await
        .unwrap();
    let listed = read_all(&operator, "/v1/operations/timelines").await;
    let set_back: Vec<_> = listed.iter().map(|it| &it["set_back"]).collect();
    assert_eq!(set_back, [&json!(true), &json!(false)]);
    let tool = Process::operators_tool(&app.settings, &["timeline", "list"]).await;
    let text = String::from_utf8(tool.stdout).unwrap();
    let marked = text.lines().filter(|line| line.contains("was set back"));
    assert_eq!(marked.count(), 1, "{text}");
}
