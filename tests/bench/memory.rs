//! Memory: of the processes while nothing happens, and of clients of live updates that are told nothing.

use std::time::Duration;

use futures::{StreamExt, stream};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Response, StatusCode};
use tidemark_tests::process::resident_kib;
use tidemark_tests::{Deployment, Process};
use uuid::Uuid;

use crate::connection::Connection;
use crate::progress::Progress;
use crate::table::{Figure, Reach, Table};

/// Steps of [`at_rest`].
pub(crate) const AT_REST: u64 = 1;
/// Steps of [`live`].
pub(crate) const LIVE: u64 = 1;

/// What a process takes at rest, at most.
const PROCESS_MIB: f64 = 64.0;
/// What a client takes, at most.
const CLIENT_KIB: f64 = 16.0;
/// How long a process is left alone before it is measured: longer than a live update takes to look again.
const REST: Duration = Duration::from_secs(6);
/// Clients that come and go first, so that what is allocated once is not counted.
const FIRST: usize = 256;
/// Clients that connect at once.
const AT_ONCE: usize = 64;

/// Of the processes that were just started.
pub(crate) async fn at_rest(deployment: &Deployment, progress: &Progress, table: &mut Table) {
    progress.step("memory at rest");
    tokio::time::sleep(REST).await;
    let Deployment {
        command_api,
        query_api,
        projector,
        ..
    } = deployment;
    for (name, process) in [
        ("memory of command-api at rest", command_api),
        ("memory of query-api at rest", query_api),
        ("memory of projector at rest", projector),
    ] {
        let figure = Figure::new(name, memory_kib(process) / 1024.0, "MiB");
        table.add(figure.reach(Reach::AtMost(PROCESS_MIB)));
    }
}

/// Of each of so many live updates, spread over these auctions.
pub(crate) async fn live(
    deployment: &Deployment,
    auctions: &[Uuid],
    clients: usize,
    progress: &Progress,
    table: &mut Table,
) {
    progress.step("memory of live updates");
    let connections = (clients + FIRST).to_string();
    let changed = [
        ("TIDEMARK_HTTP__CONNECTIONS_MAX", connections),
        ("TIDEMARK_QUERY__SSE_CLIENTS_MAX", clients.to_string()),
    ];
    let query_api = deployment.another_query_api(&changed).await;
    drop(follow(&query_api, auctions, FIRST).await);
    tokio::time::sleep(REST).await;
    let before = memory_kib(&query_api);
    let following = follow(&query_api, auctions, clients).await;
    tokio::time::sleep(REST).await;
    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    let each = (memory_kib(&query_api) - before) / following.len() as f64;
    let name = format!("memory of an idle live update, of {clients}");
    table.add(Figure::new(name, each, "KiB").reach(Reach::AtMost(CLIENT_KIB)));
}

/// Live updates, each a connection that has been sent its first state.
async fn follow(
    query_api: &Process,
    auctions: &[Uuid],
    clients: usize,
) -> Vec<(Connection, Response<Incoming>)> {
    let ids = auctions.iter().cycle().take(clients);
    stream::iter(ids)
        .map(|id| async move {
            let mut connection = Connection::open(&query_api.url).await;
            let mut response = connection.stream(&format!("/v1/auctions/{id}/live")).await;
            assert_eq!(response.status(), StatusCode::OK);
            response.frame().await.unwrap().unwrap();
            (connection, response)
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}

#[expect(clippy::cast_precision_loss, reason = "a measurement")]
fn memory_kib(process: &Process) -> f64 {
    resident_kib(process.pid()) as f64
}
