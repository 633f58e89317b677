//! How long a client may send nothing, or take nothing. Time is paused: it advances when every task waits, so that waits can
//! be measured exactly.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use axum::routing::get;
use futures::{Stream, StreamExt, stream};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split};
use tokio::time::{Instant, interval, sleep};

use super::super::idle_timeout::{Activity, IdleTimeouts, TimeoutStream};
use super::super::{answer, builder};
use super::{read_to, read_to_end, send_get};
use crate::testing::config;

/// Longer than both timeouts.
const LONG: Duration = Duration::from_secs(100);

/// How much a connection holds that the client has not taken yet.
const BUFFER: usize = 4096;

fn head_timeout() -> Duration {
    Duration::from_millis(config().http.header_read_timeout_ms)
}

fn write_timeout() -> Duration {
    Duration::from_millis(config().http.write_timeout_ms)
}

fn keep_alive_timeout() -> Duration {
    Duration::from_millis(config().http.keep_alive_ms)
}

/// A body of three parts, with a long pause before each.
fn ticks() -> impl Stream<Item = Result<Bytes, std::io::Error>> {
    stream::iter(["tick", "tick", "done"]).then(|part| async move {
        sleep(LONG).await;
        Ok(Bytes::from(part))
    })
}

/// The client's end of a connection as `serve` makes it.
fn connect() -> DuplexStream {
    let router = Router::new()
        .route("/quick", get(|| async { "done" }))
        .route("/large", get(|| async { "x".repeat(10 * BUFFER) + "done" }))
        .route(
            "/slow",
            get(|| async {
                sleep(LONG).await;
                "done"
            }),
        )
        .route(
            "/stream",
            get(|| async { Response::new(Body::from_stream(ticks())) }),
        );
    let (client, server) = duplex(BUFFER);
    let (http, activity) = (config().http, Activity::default());
    let stream = TokioIo::new(TimeoutStream::new(
        server,
        activity.clone(),
        IdleTimeouts::new(&http),
    ));
    let service = service_fn(move |request: Request<Incoming>| {
        answer(router.clone(), activity.begin(request.version()), request)
    });
    tokio::spawn(async move {
        let _ = builder(&http)
            .serve_connection_with_upgrades(stream, service)
            .await;
    });
    client
}

/// How long it takes until the server closes the connection. If the client `trickles`, it sends one byte of an
/// endless head every second.
async fn closed_after(client: DuplexStream, trickles: bool) -> Duration {
    let started = Instant::now();
    let (mut reader, mut writer) = split(client);
    let trickle = async {
        let mut seconds = interval(Duration::from_secs(1));
        while trickles && writer.write_all(b"G").await.is_ok() {
            seconds.tick().await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        rest = read_to_end(&mut reader) => assert_eq!(rest, ""),
        () = trickle => {}
    }
    // Timers are exact to the millisecond.
    Duration::from_millis(u64::try_from(started.elapsed().as_millis()).unwrap())
}

fn assert_about(waited: Duration, expected: Duration) {
    let difference = waited.abs_diff(expected);
    assert!(
        difference <= Duration::from_millis(2),
        "{waited:?} is not {expected:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_nothing_is_disconnected() {
    assert_about(closed_after(connect(), false).await, head_timeout());
}

#[tokio::test(start_paused = true)]
async fn a_trickling_head_does_not_extend_its_timeout() {
    assert_about(closed_after(connect(), true).await, head_timeout());
}

#[tokio::test(start_paused = true)]
async fn a_connection_may_be_idle_between_requests() {
    for path in ["/quick", "/slow"] {
        let mut client = connect();
        for _ in 0..3 {
            send_get(&mut client, path).await;
            read_to(&mut client, "done").await;
            // Longer than the timeout of a head, shorter than that of an idle connection.
            sleep(2 * head_timeout()).await;
        }
        assert_about(
            closed_after(client, false).await + 2 * head_timeout(),
            keep_alive_timeout(),
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_timeout_of_the_next_head_begins_with_its_first_byte() {
    for path in ["/quick", "/slow"] {
        let mut client = connect();
        send_get(&mut client, path).await;
        read_to(&mut client, "done").await;
        sleep(2 * head_timeout()).await;
        assert_about(closed_after(client, true).await, head_timeout());
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_may_take_longer_than_both_timeouts() {
    let mut client = connect();
    let started = Instant::now();
    send_get(&mut client, "/stream").await;
    read_to(&mut client, "done\r\n0\r\n\r\n").await;
    assert_about(started.elapsed(), 3 * LONG);
    assert_about(closed_after(client, false).await, keep_alive_timeout());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_of_an_answer_is_disconnected() {
    let mut client = connect();
    send_get(&mut client, "/large").await;
    sleep(2 * write_timeout()).await;
    let rest = read_to_end(&mut client).await;
    assert_eq!(rest.len(), BUFFER, "{rest}");
}

#[tokio::test(start_paused = true)]
async fn a_client_may_take_an_answer_slowly() {
    let mut client = connect();
    send_get(&mut client, "/large").await;
    let mut part = [0; BUFFER];
    for _ in 0..10 {
        // Longer than the timeout in all, shorter than that of an idle connection.
        sleep(write_timeout() / 6).await;
        client.read_exact(&mut part).await.unwrap();
    }
    read_to(&mut client, "done").await;
}
