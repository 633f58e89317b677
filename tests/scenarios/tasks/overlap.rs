//! Runs of one task that go on at once, as its owner wants.

use std::collections::BTreeSet;

use serde_json::json;

use super::receiver::{Receiver, application_with, define};

/// Nothing is answered for longer than a test lasts.
const LONG: [(&str, &str); 1] = [("TIDEMARK_TASKS__CALL_TIMEOUT_MS", "50000")];

#[tokio::test]
async fn slots_run_although_runs_go_on_if_their_owner_wants_that() {
    let (app, server) = (application_with(&LONG).await, Receiver::start().await);
    let user = app.user().await;
    let schedule =
        json!({"cron": "* * * * * *", "zone": "UTC", "delay_max_s": 0, "overlap": "allow"});
    let task = define(&user, &server.url("silent"), schedule).await;
    let calls = server.calls(3).await;
    let runs: BTreeSet<_> = calls.iter().map(|it| &it.headers["webhook-id"]).collect();
    assert_eq!(runs.len(), calls.len());
    assert!(server.broken_off().is_empty());
    let paused = user.post_empty(&format!("/v1/tasks/{task}/pause")).await;
    let user = user.with_tidemark(paused.ok().tidemark());
    for (status, is_found) in [("open", false), ("cancelled", true)] {
        let path = format!("/v1/task-runs?status={status}");
        let found = user.get(&path).await.ok().body;
        let found = found["items"].as_array().unwrap();
        assert_eq!(found.len() >= calls.len(), is_found, "{status}: {found:?}");
        assert_eq!(found.is_empty(), !is_found, "{status}: {found:?}");
    }
}

#[tokio::test]
async fn ten_runs_go_on_at_once_at_most() {
    let (app, server) = (application_with(&LONG).await, Receiver::start().await);
    let user = app.user().await;
    let schedule = json!({"cron": "0 0 1 1 *", "zone": "UTC", "overlap": "allow"});
    let task = define(&user, &server.url("silent"), schedule).await;
    let run = format!("/v1/tasks/{task}/run");
    for _ in 0..10 {
        user.post_empty(&run).await.ok();
    }
    user.post_empty(&run).await.problem(409, "task_running");
    // Of these one projector calls as many at a time as an owner may have called at one server.
    server.calls(4).await;
    let alone = json!({"overlap": "skip"});
    let change = format!("/v1/tasks/{task}/change");
    user.post(&change, &alone).await.ok();
    user.post_empty(&run).await.problem(409, "task_running");
    for command in ["pause", "resume"] {
        let path = format!("/v1/tasks/{task}/{command}");
        user.post_empty(&path).await.ok();
    }
    user.post_empty(&run).await.ok();
    user.post_empty(&run).await.problem(409, "task_running");
}
