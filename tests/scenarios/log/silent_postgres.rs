//! Processes go on after a Postgres vanished without a word, as when its machine is gone: connections to it
//! stay silent for ever, and new ones reach the server that took its place.

use std::time::Duration;

use serde_json::json;
use tidemark_command_api::ProcessRoles;
use tidemark_tests::app::InProcess;
use tidemark_tests::market::STARTING_PRICE;
use tidemark_tests::proxy::{Fault, Proxy};
use tidemark_tests::{App, eventually};
use tokio::time::timeout;

use super::expiry::{insert_record, only_are_left};
use crate::market::live_updates::Watcher;

/// In how many steps requests are swallowed until every part of an idle process has sent one.
const EVERY_PART: usize = 5;
/// A live update that comes later does not come.
const DEADLINE: Duration = Duration::from_secs(30);

/// Makes the open connections silent, and lets new ones work.
async fn silence_open_connections(proxy: &Proxy) {
    proxy.set_both(Fault::BlackHole);
    let swallowed = || async { (proxy.counts().swallowed > 0).then_some(()) };
    eventually("a request to be swallowed", swallowed).await;
    proxy.heal();
}

/// Makes connections silent until every part of a process that has nothing to do has lost one.
async fn silence_every_part(proxy: &Proxy) {
    proxy.set_both(Fault::BlackHole);
    for _ in 0..EVERY_PART {
        let before = proxy.counts().swallowed;
        let swallowed = || async { (proxy.counts().swallowed > before).then_some(()) };
        eventually("a request to be swallowed", swallowed).await;
    }
    proxy.heal();
}

/// A command API, and settings with which other processes ask Postgres often and give an answer up soon.
async fn app_with_restless_settings() -> App {
    let mut app = App::start().await;
    for (name, value) in [
        ("DATABASE__STATEMENT_TIMEOUT_MS", "3900"),
        ("DATABASE__RESPONSE_TIMEOUT_MS", "4000"),
        ("EXECUTOR__EXPIRY_INTERVAL_MS", "20"),
        ("REDIS__CHECK_MS", "20"),
        ("QUERY__SSE_REFRESH_S", "1"),
    ] {
        app.settings.set(&format!("TIDEMARK_{name}"), value);
    }
    app
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

#[tokio::test(flavor = "multi_thread")]
async fn expired_records_are_removed_again() {
    let mut app = app_with_restless_settings().await;
    app.stop_command_api().await;
    let (_command_api, proxy) = command_api(&mut app).await;
    silence_every_part(&proxy).await;
    insert_record(&app.database.pool, "user:1", "old", 25).await;
    only_are_left(&app.database.pool, &[]).await;
}

/// Documents that are read from Redis would otherwise be old for ever, as nobody told them to be newer.
#[tokio::test(flavor = "multi_thread")]
async fn documents_in_redis_catch_up_again() {
    let mut app = app_with_restless_settings().await;
    let proxy = Proxy::before_postgres(&mut app.settings, "PROJECT").await;
    let (_projector, query_api) = (app.another_projector().await, app.another_query_api().await);
    let auction = app.market().await.auction(json!({})).await;
    let path = format!("/v1/auctions/{auction}");
    let reader = app.client.via_query_api(&query_api.url);
    let shown = || async { reader.get(&path).await.body["bid_count"].as_i64() };
    eventually("the auction to be shown", shown).await;
    silence_every_part(&proxy).await;
    let bidder = app.user().await;
    bidder.bid(auction, STARTING_PRICE).await.ok();
    eventually("the bid to be shown", || async {
        (shown().await == Some(1)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn live_updates_go_on() {
    let mut app = app_with_restless_settings().await;
    let _projector = app.another_projector().await;
    let auction = app.market().await.auction(json!({})).await;
    let proxy = Proxy::before_postgres(&mut app.settings, "READ").await;
    let query_api = app.another_query_api().await;
    let client = app.client.via_query_api(&query_api.url);
    let path = format!("/v1/auctions/{auction}");
    eventually("the auction to be shown", || async {
        client.get(&path).await.is_ok().then_some(())
    })
    .await;
    let mut watcher = Watcher::open(&client, auction).await;
    assert_eq!(watcher.next().await.document["bid_count"], 0);
    silence_every_part(&proxy).await;
    let bidder = app.user().await;
    bidder.bid(auction, STARTING_PRICE).await.ok();
    let update = timeout(DEADLINE, watcher.next()).await.unwrap();
    assert_eq!(update.document["bid_count"], 1);
}
