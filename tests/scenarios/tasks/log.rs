//! What owners find of the runs of all their tasks.

use serde_json::json;
use tidemark_tests::Client;
use uuid::Uuid;

use super::receiver::{Receiver, application_with, define, run};

/// The ids of the runs that a user finds, the newest first.
async fn found(user: &Client, path: &str) -> Vec<Uuid> {
    let page = user.get(path).await.ok().body;
    let items = page["items"].as_array().unwrap().iter();
    items
        .map(|it| it["id"].as_str().unwrap().parse().unwrap())
        .collect()
}

#[tokio::test]
async fn an_owner_finds_the_runs_of_all_tasks() {
    let once = [("TIDEMARK_TASKS__RETRY_PAUSES_MS", "")];
    let (app, server) = (application_with(&once).await, Receiver::start().await);
    let (user, other) = (app.user().await, app.user().await);
    let (mut runs, mut tasks) = (Vec::new(), Vec::new());
    for how in ["well", "fails", "silent"] {
        let task = define(&user, &server.url(how), json!({})).await;
        let over = run(&user, task).await;
        runs.push(over["id"].as_str().unwrap().parse::<Uuid>().unwrap());
        tasks.push(task);
    }
    let [well, fails, silent] = runs[..] else {
        panic!("three runs");
    };
    let of_fails = format!("/v1/tasks/{}/runs", tasks[1]);
    for (path, query, expected) in [
        ("/v1/task-runs", "", vec![silent, fails, well]),
        ("/v1/task-runs", "status=failed", vec![silent, fails]),
        ("/v1/task-runs", "outcome=timed_out", vec![silent]),
        ("/v1/task-runs", "outcome=delivered", vec![well]),
        (
            "/v1/task-runs",
            "outcome=refused&from=1970-01-01T00:00:00Z",
            vec![fails],
        ),
        ("/v1/task-runs", "until=1970-01-01T00:00:00Z", vec![]),
        (&*of_fails, "outcome=refused", vec![fails]),
        (&*of_fails, "outcome=timed_out", vec![]),
    ] {
        let path = format!("{path}?{query}");
        assert_eq!(found(&user, &path).await, expected, "{path}");
    }
    let first = user.get("/v1/task-runs?limit=2").await.ok().body;
    let next = first["next"].as_str().unwrap();
    let rest = format!("/v1/task-runs?limit=2&cursor={next}");
    assert_eq!(found(&user, &rest).await, [well]);
    // A cursor belongs to one list.
    let of_task = format!("{of_fails}?limit=2&cursor={next}");
    user.get(&of_task).await.problem(400, "invalid_cursor");

    let nothing: [Uuid; 0] = [];
    assert_eq!(found(&other, "/v1/task-runs").await, nothing);
    for path in ["/v1/task-runs", &of_fails] {
        let both = format!("{path}?status=failed&outcome=refused");
        user.get(&both).await.problem(422, "invalid");
    }
    let anonymous = app.client.get("/v1/task-runs").await;
    anonymous.problem(401, "unauthenticated");
}
