//! Reads of one hot document, against a handler that answers nothing at all and is served in the same
//! way: by a process of its own, asked by the same clients. That one shows what the clients can do, too.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use hyper::StatusCode;
use tidemark_tests::Deployment;
use tidemark_tests::eventually;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::bidders::{CLIENTS, Market};
use crate::connection::Connection;
use crate::load::{Client, at_rate, saturate};
use crate::progress::Progress;
use crate::table::{Figure, Table};

/// Steps of [`measure`].
pub(crate) const STEPS: u64 = 3;

/// How much of what can be done is asked for where latencies are measured.
const HALF: f64 = 0.5;

/// Reads a second, and their latencies.
pub(crate) async fn measure(
    (deployment, market): (&Deployment, &Market),
    duration: Duration,
    progress: &Progress,
    table: &mut Table,
) {
    progress.step("an empty handler");
    let (_server, url) = start_empty().await;
    let mut clients = readers(&url, "/").await;
    let empty = saturate(&mut clients, duration).await;
    let empty = table.add(Figure::rate("empty axum handler", &empty, "requests/s"));

    progress.step("reads of one document");
    let path = format!("/v1/auctions/{}", market.auctions[0]);
    let mut clients = readers(&deployment.query_api.url, &path).await;
    let most = saturate(&mut clients, duration).await;
    let figure = Figure::rate("reads of one hot document", &most, "reads/s");
    let figure = figure.against(empty, Some(0.60));
    table.add(figure);

    progress.step("reads of one document, at a rate");
    let rate = most.per_second * HALF;
    let seen = at_rate(&mut clients, rate, duration).await;
    let name = format!("the same, arriving at {rate:.0}/s");
    table.add(Figure::rate(name, &seen, "reads/s").latencies(&seen.latencies));
}

struct Reader {
    connection: Connection,
    path: String,
}

impl Client for Reader {
    async fn turn(&mut self) -> bool {
        self.connection.get(&self.path, None).await.status == StatusCode::OK
    }
}

async fn readers(url: &str, path: &str) -> Vec<Reader> {
    let connect = async |_| Reader {
        connection: Connection::open(url).await,
        path: path.to_owned(),
    };
    futures::future::join_all((0..CLIENTS).map(connect)).await
}

/// Another process of this binary, killed when it is dropped.
async fn start_empty() -> (Child, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
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

/// What that process does.
pub(crate) async fn serve_empty(address: SocketAddr) {
    let router = Router::new().route("/", get(async || ()));
    let listener = TcpListener::bind(address).await.unwrap();
    axum::serve(listener, router).await.unwrap();
}
