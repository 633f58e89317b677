//! Connections on real sockets, and how they end.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::response::Sse;
use axum::response::sse::Event;
use axum::routing::get;
use futures::{StreamExt, stream};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::super::serve;
use super::{PATIENCE, ask, read_to, read_to_end};
use crate::shutdown::Shutdown;
use crate::testing::config_with;

struct Server {
    address: SocketAddr,
    shutdown: CancellationToken,
    served: JoinHandle<io::Result<()>>,
    /// A request to `/held` is being handled.
    held: Arc<Notify>,
    /// It may be answered.
    release: Arc<Notify>,
}

impl Server {
    async fn start(vars: &[(&str, &str)]) -> Self {
        let http = config_with(vars).http;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (held, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let router = router(Arc::clone(&held), Arc::clone(&release));
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let served = tokio::spawn(async move { serve(listener, router, &http, stop).await });
        Self {
            address,
            shutdown,
            served,
            held,
            release,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn holds(&self) {
        timeout(PATIENCE, self.held.notified()).await.unwrap();
    }

    async fn ended(self) {
        timeout(PATIENCE, self.served)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }
}

fn router(held: Arc<Notify>, release: Arc<Notify>) -> Router {
    let answer = || async move {
        held.notify_one();
        release.notified().await;
        "done"
    };
    Router::new()
        .route("/quick", get(|| async { "done" }))
        .route("/held", get(answer))
        .route("/events", get(events))
}

/// One event, and then nothing until the server stops.
async fn events(
    Shutdown(token): Shutdown,
) -> Sse<impl futures::Stream<Item = Result<Event, Infallible>>> {
    let first = stream::iter([Ok(Event::default().data("first"))]);
    Sse::new(
        first
            .chain(stream::pending())
            .take_until(token.cancelled_owned()),
    )
}

#[tokio::test]
async fn row_19_slow_headers_are_not_waited_for() {
    let server = Server::start(&[("TIDEMARK_HTTP__HEADER_READ_TIMEOUT_MS", "200")]).await;
    let started = Instant::now();
    let mut client = server.connect().await;
    client
        .write_all(b"GET /quick HTTP/1.1\r\nhost: tide")
        .await
        .unwrap();
    assert_eq!(read_to_end(&mut client).await, "");
    assert!(started.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let server = Server::start(&[("TIDEMARK_HTTP__KEEP_ALIVE_MS", "200")]).await;
    let mut client = server.connect().await;
    let started = Instant::now();
    ask(&mut client, "/quick").await;
    read_to(&mut client, "done").await;
    assert_eq!(read_to_end(&mut client).await, "");
    assert!(started.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn an_open_request_is_finished() {
    let server = Server::start(&[]).await;
    let (mut open, mut idle) = (server.connect().await, server.connect().await);
    ask(&mut idle, "/quick").await;
    read_to(&mut idle, "done").await;
    ask(&mut open, "/held").await;
    server.holds().await;

    server.shutdown.cancel();
    assert_eq!(read_to_end(&mut idle).await, "");
    let refused = TcpStream::connect(server.address).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);

    server.release.notify_one();
    let answer = read_to_end(&mut open).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"),
        "{answer}"
    );
    server.ended().await;
}

#[tokio::test]
async fn a_stream_of_events_ends_with_the_server() {
    let server = Server::start(&[]).await;
    let mut client = server.connect().await;
    ask(&mut client, "/events").await;
    read_to(&mut client, "data: first\n\n\r\n").await;
    server.shutdown.cancel();
    // Ended as it should be, not cut off.
    assert_eq!(read_to_end(&mut client).await, "0\r\n\r\n");
    server.ended().await;
}

#[tokio::test]
async fn what_does_not_end_in_time_is_cut_off() {
    let server = Server::start(&[("TIDEMARK_HTTP__DRAIN_MS", "100")]).await;
    let (mut stuck, mut half) = (server.connect().await, server.connect().await);
    ask(&mut stuck, "/held").await;
    server.holds().await;
    half.write_all(b"GET /quick HT").await.unwrap();

    let stopped = Instant::now();
    server.shutdown.cancel();
    assert_eq!(read_to_end(&mut stuck).await, "");
    assert!(stopped.elapsed() >= Duration::from_millis(100));
    assert_eq!(read_to_end(&mut half).await, "");
    server.ended().await;
}

#[tokio::test]
async fn a_connection_over_the_limit_waits() {
    let server = Server::start(&[("TIDEMARK_HTTP__CONNECTIONS_MAX", "1")]).await;
    let mut first = server.connect().await;
    ask(&mut first, "/quick").await;
    read_to(&mut first, "done").await;

    let mut second = server.connect().await;
    ask(&mut second, "/held").await;
    // However often the first is answered meanwhile.
    for _ in 0..10 {
        ask(&mut first, "/quick").await;
        read_to(&mut first, "done").await;
    }
    assert!(
        timeout(Duration::ZERO, server.held.notified())
            .await
            .is_err()
    );

    drop(first);
    server.holds().await;
    server.release.notify_one();
    read_to(&mut second, "done").await;
}
