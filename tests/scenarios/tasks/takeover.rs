//! Whose call it is while processes die, stop or lose their connections.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;
use tidemark_tests::proxy::Fault;
use tidemark_tests::{App, Process, Proxy, Settings, eventually};
use uuid::Uuid;

use super::receiver::{Receiver, define, ready};

/// How long a process must be missed.
const GONE_AFTER_MS: u64 = 1_000;
/// How long it takes until another process calls at most, although this machine is busy.
const TAKEOVER: Duration = Duration::from_secs(10);

/// An application without any projector, whose calls take long.
async fn application() -> App {
    App::builder()
        .relay()
        .queries()
        .set("TIDEMARK_TASKS__ALLOWED_PRIVATE_HOSTS", "127.0.0.1")
        .set("TIDEMARK_TASKS__CALL_TIMEOUT_MS", 50_000)
        .set("TIDEMARK_REACTOR__GONE_AFTER_MS", GONE_AFTER_MS)
        .start()
        .await
}

/// What else a projector does than to perform effects.
async fn reactors(app: &App) -> Process {
    app.spawn_projector_as("projections,reactors", &app.settings)
        .await
}

async fn effects(app: &App, settings: &Settings) -> Process {
    app.spawn_projector_as("effects", settings).await
}

/// Has a task call a server that does not answer, and waits for the call.
async fn calling(app: &App, server: &Receiver) -> Uuid {
    ready(app).await;
    let user = app.user().await;
    let task = define(&user, &server.url("silent"), json!({})).await;
    let run = user.post_empty(&format!("/v1/tasks/{task}/run")).await;
    server.calls(1).await;
    run.ok().id()
}

/// Waits for so long by the clock of the database.
async fn passed(app: &App, time: TimeDelta) {
    let until = app.database.now().await + time;
    eventually("time to pass", || async {
        (app.database.now().await > until).then_some(())
    })
    .await;
}

#[tokio::test]
async fn another_process_calls_soon_after_one_was_killed_under_the_same_id() {
    let (app, server) = (application().await, Receiver::start().await);
    let _reactors = reactors(&app).await;
    let mut first = effects(&app, &app.settings).await;
    let run = calling(&app, &server).await;
    let _second = effects(&app, &app.settings).await;
    first.kill().await;
    let killed = std::time::Instant::now();
    let calls = server.calls(2).await;
    assert!(calls[1].at - killed < TAKEOVER, "{calls:?}");
    for call in &calls {
        assert_eq!(call.headers["webhook-id"], run.to_string());
    }
}

#[tokio::test]
async fn a_process_that_is_only_stopped_keeps_its_call() {
    let (app, server) = (application().await, Receiver::start().await);
    let _reactors = reactors(&app).await;
    let mut first = effects(&app, &app.settings).await;
    calling(&app, &server).await;
    let _second = effects(&app, &app.settings).await;
    first.signal("STOP").await;
    passed(&app, TimeDelta::milliseconds(3_000)).await;
    first.signal("CONT").await;
    passed(&app, TimeDelta::milliseconds(3_000)).await;
    assert_eq!((server.received().len(), server.broken_off().len()), (1, 0));
    // The second one would have called.
    first.kill().await;
    server.calls(2).await;
}

#[tokio::test]
async fn a_process_that_reaches_the_database_no_more_breaks_its_call_off_before_another_one_makes_it()
 {
    let (app, server) = (application().await, Receiver::start().await);
    let _reactors = reactors(&app).await;
    let mut settings = app.settings.clone();
    let proxy = Proxy::before_postgres(&mut settings, "PROJECT").await;
    let first = effects(&app, &settings).await;
    calling(&app, &server).await;
    let _second = effects(&app, &app.settings).await;
    proxy.set_both(Fault::Reset);
    let calls = server.calls(2).await;
    let broken_off = server.broken_off();
    assert_eq!(broken_off.len(), 1);
    assert!(broken_off[0] <= calls[1].at, "both called at the same time");
    drop(first);
}
