//! Processes go on after a Postgres vanished without a word, as when its machine is gone: connections to it
//! stay silent for ever, and new ones reach the server that took its place.

use serde_json::json;
use tidemark_command_api::ProcessRoles;
use tidemark_tests::App;
use tidemark_tests::app::InProcess;
use tidemark_tests::eventually;
use tidemark_tests::proxy::{Fault, Proxy};

/// Makes the open connections silent, and lets new ones work.
async fn silence_open_connections(proxy: &Proxy) {
    proxy.set_both(Fault::BlackHole);
    let swallowed = || async { (proxy.counts().swallowed > 0).then_some(()) };
    eventually("a request to be swallowed", swallowed).await;
    proxy.heal();
}

/// Starts a command API whose connections to Postgres lead through a proxy.
async fn command_api(app: &mut App) -> (InProcess, Proxy) {
    let proxy = Proxy::before_postgres(&mut app.settings, "APPEND").await;
    let roles = ProcessRoles {
        api: true,
        relay: false,
    };
    (app.another_command_api(roles).await, proxy)
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_accepted_again() {
    let mut app = App::start().await;
    let (other, proxy) = command_api(&mut app).await;
    let client = app.client.via_command_api(&other.url);
    let register = || async { client.post("/v1/users", &app.person().registration()).await };
    register().await.ok();
    let (lost, ()) = tokio::join!(register(), silence_open_connections(&proxy));
    assert!(lost.is_ok() || lost.status == 503, "{lost:?}");
    eventually("a command to be accepted", || async {
        register().await.is_ok().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn states_are_loaded_again() {
    let mut app = App::start().await;
    let (other, proxy) = command_api(&mut app).await;
    let admin = app.admin().await.via_command_api(&other.url);
    let user = app.user().await;
    let path = format!("/v1/users/{}/roles", user.id);
    let grant = || async { admin.post(&path, &json!({"role": "auditor"})).await };
    let (lost, ()) = tokio::join!(grant(), silence_open_connections(&proxy));
    assert!(lost.is_ok() || lost.status == 503, "{lost:?}");
    eventually("the role to be granted", || async {
        grant().await.is_ok().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn read_models_catch_up_again() {
    let mut app = App::start().await;
    let proxy = Proxy::before_postgres(&mut app.settings, "PROJECT").await;
    let _projector = app.another_projector().await;
    app.user().await;
    app.settle().await;
    let (_, ()) = tokio::join!(app.user(), silence_open_connections(&proxy));
    app.user().await;
    app.settle().await;
}
