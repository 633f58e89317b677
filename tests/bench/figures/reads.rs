//! Reads of one document, against a handler that answers without a body. That handler is served in
//! the same way, by a process of its own, and asked by the same clients: so it also shows what the
//! clients can do.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use hyper::StatusCode;
use tidemark_tests::{Deployment, KeptPort, eventually};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::load::{Client, at_rate, saturate};
use crate::over_http::{CLIENTS, Connection, Market};
use crate::progress::Progress;
use crate::table::{Figure, Table, Target};

/// Steps of [`measure`].
pub(crate) const STEPS: u64 = 3;

/// The part of the throughput at which latencies are measured.
const BELOW_SATURATION: f64 = 0.5;

/// Measures reads per second, and their latencies.
pub(crate) async fn measure(
    (deployment, market): (&Deployment, &Market),
    duration: Duration,
    progress: &Progress,
    table: &mut Table,
) {
    progress.step("an empty handler");
    let (_server, url) = start_empty_handler().await;
    let mut clients = readers(&url, "/").await;
    let empty = saturate(&mut clients, duration).await;
    let empty = table.add(Figure::rate(
        "empty axum handler, 64 connections",
        &empty,
        "requests/s",
    ));

    progress.step("reads of one document");
    let path = format!("/v1/auctions/{}", market.auctions[0]);
    let mut clients = readers(&deployment.query_api.url, &path).await;
    let fastest = saturate(&mut clients, duration).await;
    let figure = Figure::rate("reads of one document, 64 connections", &fastest, "reads/s");
    let figure = figure.against(empty).target(Target::AtLeast(0.60));
    table.add(figure);

    progress.step("reads of one document, at a rate");
    let rate = fastest.per_second * BELOW_SATURATION;
    let measured = at_rate(&mut clients, rate, duration).await;
    let name = format!("reads of one document, arriving at {rate:.0}/s");
    table.add(Figure::rate(name, &measured, "reads/s").with_latencies(&measured.latencies));
}

/// A client that reads one path.
pub(crate) struct Reader {
    connection: Connection,
    path: String,
}

impl Client for Reader {
    async fn send_next(&mut self) -> bool {
        self.connection.get(&self.path, None).await.status == StatusCode::OK
    }
}

/// Connects clients that read a path.
pub(crate) async fn readers(url: &str, path: &str) -> Vec<Reader> {
    let connect = async |_| Reader {
        connection: Connection::open(url).await,
        path: path.to_owned(),
    };
    futures::future::join_all((0..CLIENTS).map(connect)).await
}

/// Starts another process of this binary, which is killed when it is dropped, and returns its URL.
async fn start_empty_handler() -> (Child, String) {
    let kept = KeptPort::any();
    let address = kept.address();
    let server = Command::new(std::env::current_exe().unwrap())
        .args(["--serve-empty", &address.to_string()])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    eventually("the empty handler", || async {
        TcpStream::connect(address).await.ok()
    })
    .await;
    (server, format!("http://{address}"))
}

/// Serves the empty handler for ever.
pub(crate) async fn serve_empty_handler(address: SocketAddr) {
    let router = Router::new().route("/", get(async || ()));
    let listener = TcpListener::bind(address).await.unwrap();
    axum::serve(listener, router).await.unwrap();
}
