//! Connections on real sockets: their limits, and how they end when the server stops.

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
use super::{HANGS_AFTER, read_to, read_to_end, send_get};
use crate::shutdown::Shutdown;
use crate::testing::config_with;

struct Server {
    address: SocketAddr,
    shutdown: CancellationToken,
    served: JoinHandle<io::Result<()>>,
    /// Is notified when a request to `/held` is being handled.
    held: Arc<Notify>,
    /// Lets that request be answered.
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

    async fn wait_until_held(&self) {
        timeout(HANGS_AFTER, self.held.notified()).await.unwrap();
    }

    async fn wait_until_ended(self) {
        timeout(HANGS_AFTER, self.served)
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

/// Sends one event, and then nothing until the server stops.
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
async fn slow_headers_are_not_waited_for() {
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
    send_get(&mut client, "/quick").await;
    read_to(&mut client, "done").await;
    assert_eq!(read_to_end(&mut client).await, "");
    assert!(started.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn a_request_in_flight_is_answered_after_the_signal_to_stop() {
    let server = Server::start(&[]).await;
    let (mut open, mut idle) = (server.connect().await, server.connect().await);
    send_get(&mut idle, "/quick").await;
    read_to(&mut idle, "done").await;
    send_get(&mut open, "/held").await;
    server.wait_until_held().await;

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
    server.wait_until_ended().await;
}

#[tokio::test]
async fn a_stream_of_events_ends_with_the_server() {
    let server = Server::start(&[]).await;
    let mut client = server.connect().await;
    send_get(&mut client, "/events").await;
    read_to(&mut client, "data: first\n\n\r\n").await;
    server.shutdown.cancel();
    // The last chunk shows that the response ended and was not cut off.
    assert_eq!(read_to_end(&mut client).await, "0\r\n\r\n");
    server.wait_until_ended().await;
}

#[tokio::test]
async fn a_request_that_does_not_end_in_time_is_cut_off() {
    let server = Server::start(&[("TIDEMARK_HTTP__DRAIN_MS", "100")]).await;
    let (mut stuck, mut half) = (server.connect().await, server.connect().await);
    send_get(&mut stuck, "/held").await;
    server.wait_until_held().await;
    half.write_all(b"GET /quick HT").await.unwrap();

    let stopped = Instant::now();
    server.shutdown.cancel();
    assert_eq!(read_to_end(&mut stuck).await, "");
    assert!(stopped.elapsed() >= Duration::from_millis(100));
    assert_eq!(read_to_end(&mut half).await, "");
    server.wait_until_ended().await;
}

#[tokio::test]
async fn a_connection_over_the_limit_waits() {
    let server = Server::start(&[("TIDEMARK_HTTP__CONNECTIONS_MAX", "1")]).await;
    let mut first = server.connect().await;
    send_get(&mut first, "/quick").await;
    read_to(&mut first, "done").await;

    let mut second = server.connect().await;
    send_get(&mut second, "/held").await;
    // Further requests on the first connection do not give the second one its turn.
    for _ in 0..10 {
        send_get(&mut first, "/quick").await;
        read_to(&mut first, "done").await;
    }
    assert!(
        timeout(Duration::ZERO, server.held.notified())
            .await
            .is_err()
    );

    drop(first);
    server.wait_until_held().await;
    server.release.notify_one();
    read_to(&mut second, "done").await;
}
