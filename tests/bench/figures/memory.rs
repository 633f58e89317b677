//! What the processes and Postgres take at rest, and the memory of clients of live updates to which nothing is sent.

use std::iter::repeat_n;
use std::time::Duration;

use futures::future::join_all;
use futures::{StreamExt, stream};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Response, StatusCode};
use tidemark_tests::process::{cpu_time, resident_kib};
use tidemark_tests::{Deployment, Process};
use uuid::Uuid;

use crate::figures::visible::transactions;
use crate::over_http::{Connection, Streams};
use crate::postgres_server::PostgresServer;
use crate::progress::Progress;
use crate::table::{Figure, Table, Target};

/// Steps of [`measure_at_rest`].
pub(crate) const STEPS_AT_REST: u64 = 1;
/// Steps of [`measure_live_updates`].
pub(crate) const STEPS_OF_LIVE_UPDATES: u64 = 2;

/// The most that a process may take at rest.
const PROCESS_MIB: f64 = 64.0;
/// The most of a core that a process, or the Postgres server, may take at rest, in percent.
const PROCESS_CPU: f64 = 0.5;
/// For how many times the duration of a figure the CPU is watched, since there is little of it.
const WATCHED: u32 = 4;
/// The most that a client of a live update may take: the HTTP server keeps two buffers of 8 KiB for each connection.
const CLIENT_KIB: f64 = 18.0;
/// The most that one may take as a stream of HTTP/2, many of which share the buffers of a connection.
const STREAM_KIB: f64 = 8.0;
/// The streams of a connection: as many as a process allows.
const STREAMS: usize = 100;
/// How long a process is left alone before it is measured: longer than the interval at which a live
/// update looks again.
const REST: Duration = Duration::from_secs(6);
/// Clients that come and go before, so that what is allocated only once is not counted.
const WARM_UP_CLIENTS: usize = 256;
/// Clients that connect at the same time.
const CONCURRENT: usize = 64;

/// Measures the processes, which have just been started.
pub(crate) async fn measure_at_rest(
    deployment: &Deployment,
    duration: Duration,
    progress: &Progress,
    table: &mut Table,
) {
    progress.step("processes at rest");
    tokio::time::sleep(REST).await;
    let Deployment {
        command_api,
        query_api,
        projector,
        ..
    } = deployment;
    let processes = [
        ("command-api", command_api),
        ("query-api", query_api),
        ("projector", projector),
    ];
    for (process, of) in processes {
        let name = format!("memory of {process} at rest");
        let figure = Figure::new(name, memory_kib(of) / 1024.0, "MiB");
        table.add(figure.target(Target::AtMost(PROCESS_MIB)));
    }
    let pool = &deployment.app.database.pool;
    let postgres = PostgresServer::find(pool).await;
    // What was written before would else be written to the disk meanwhile.
    sqlx::query("checkpoint").execute(pool).await.unwrap();
    let cpu_of_postgres = || postgres.as_ref().map(PostgresServer::cpu_time);
    let postgres_before = cpu_of_postgres();
    let cpu_before = processes.map(|(_, of)| cpu_time(of.pid()));
    let transactions_before = transactions(pool).await;
    let watched = duration * WATCHED;
    tokio::time::sleep(watched).await;
    let mut add_cpu = |of: &str, cpu: Duration| {
        let name = format!("CPU of {of} at rest");
        let percent = cpu.as_secs_f64() / watched.as_secs_f64() * 100.0;
        table.add(Figure::new(name, percent, "% of a core").target(Target::AtMost(PROCESS_CPU)));
    };
    for ((process, of), before) in processes.into_iter().zip(cpu_before) {
        add_cpu(process, cpu_time(of.pid()).saturating_sub(before));
    }
    if let (Some(before), Some(after)) = (postgres_before, cpu_of_postgres()) {
        add_cpu("PostgreSQL", after.saturating_sub(before));
    }
    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    let made = (transactions(pool).await - transactions_before) as f64;
    let name = "transactions of Postgres at rest";
    table.add(Figure::new(name, made / watched.as_secs_f64(), "a second"));
}

/// Measures what each of this many live updates takes, spread over these auctions.
pub(crate) async fn measure_live_updates(
    deployment: &Deployment,
    auctions: &[Uuid],
    clients: usize,
    progress: &Progress,
    table: &mut Table,
) {
    let name = format!("memory of query-api for each of {clients} idle live updates");
    progress.step("memory of live updates");
    let open = async |api: &Process, clients| open_live_updates(api, auctions, clients).await;
    let each = kib_of_each(deployment, clients, open).await;
    table.add(Figure::new(name.clone(), each, "KiB").target(Target::AtMost(CLIENT_KIB)));
    progress.step("memory of live updates over HTTP/2");
    let open = async |api: &Process, clients| open_streams(api, auctions, clients).await;
    let each = kib_of_each(deployment, clients, open).await;
    let name = format!("{name} over HTTP/2");
    table.add(Figure::new(name, each, "KiB").target(Target::AtMost(STREAM_KIB)));
}

/// How much a query API grows for each of this many live updates.
async fn kib_of_each<T>(
    deployment: &Deployment,
    clients: usize,
    open: impl AsyncFn(&Process, usize) -> Vec<T>,
) -> f64 {
    let connections = (clients + WARM_UP_CLIENTS).to_string();
    let changed = [
        (
            "TIDEMARK_HTTP__CONNECTIONS_PER_ADDRESS_MAX",
            connections.clone(),
        ),
        (
            "TIDEMARK_QUERY__SSE_CLIENTS_PER_ADDRESS_MAX",
            clients.to_string(),
        ),
        ("TIDEMARK_HTTP__CONNECTIONS_MAX", connections),
        ("TIDEMARK_QUERY__SSE_CLIENTS_MAX", clients.to_string()),
    ];
    let query_api = deployment.another_query_api(&changed).await;
    drop(open(&query_api, WARM_UP_CLIENTS).await);
    tokio::time::sleep(REST).await;
    let before = memory_kib(&query_api);
    let live_updates = open(&query_api, clients).await;
    tokio::time::sleep(REST).await;
    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    let each = (memory_kib(&query_api) - before) / live_updates.len() as f64;
    each
}

/// Opens live updates, each a connection that has been sent its first state.
async fn open_live_updates(
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
        .buffer_unordered(CONCURRENT)
        .collect()
        .await
}

/// Opens live updates, each a stream that has been sent its first state, on as few connections as possible.
async fn open_streams(
    query_api: &Process,
    auctions: &[Uuid],
    clients: usize,
) -> Vec<(Streams, Response<Incoming>)> {
    let connections = (0..clients.div_ceil(STREAMS)).map(|_| Streams::open(&query_api.url));
    let connections = join_all(connections).await;
    let connections = connections.iter().flat_map(|it| repeat_n(it, STREAMS));
    let ids = auctions.iter().cycle().take(clients);
    stream::iter(ids.zip(connections))
        .map(|(id, connection)| async move {
            let mut connection = connection.clone();
            let mut response = connection.stream(&format!("/v1/auctions/{id}/live")).await;
            assert_eq!(response.status(), StatusCode::OK);
            response.frame().await.unwrap().unwrap();
            (connection, response)
        })
        .buffer_unordered(CONCURRENT)
        .collect()
        .await
}

/// The resident memory of a process.
#[expect(clippy::cast_precision_loss, reason = "a measurement")]
fn memory_kib(process: &Process) -> f64 {
    resident_kib(process.pid()) as f64
}
