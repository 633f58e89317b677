//! How long a client may be silent. Time is paused: it passes when all wait, and can be told exactly.

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
use tokio::io::{AsyncWriteExt, DuplexStream, duplex, split};
use tokio::time::{Instant, interval, sleep};

use super::super::idle_timeout::{Activity, IdleTimeouts, TimeoutStream};
use super::super::{answer, builder};
use super::{ask, read_to, read_to_end};
use crate::testing::config;

/// Longer than any silence is borne.
const LONG: Duration = Duration::from_secs(100);

fn head_time() -> Duration {
    Duration::from_millis(config().http.header_read_timeout_ms)
}

fn rest_time() -> Duration {
    Duration::from_millis(config().http.keep_alive_ms)
}

/// A body of which a part comes after each of three long pauses.
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
    let (client, server) = duplex(4096);
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

/// How long the client waits until it is left, sending a byte a second of a head without end if it `trickles`.
async fn left_after(client: DuplexStream, trickles: bool) -> Duration {
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
async fn who_says_nothing_is_left() {
    assert_about(left_after(connect(), false).await, head_time());
}

#[tokio::test(start_paused = true)]
async fn row_19_a_head_has_one_time_however_it_trickles() {
    assert_about(left_after(connect(), true).await, head_time());
}

#[tokio::test(start_paused = true)]
async fn a_connection_rests_between_requests() {
    for path in ["/quick", "/slow"] {
        let mut client = connect();
        for _ in 0..3 {
            ask(&mut client, path).await;
            read_to(&mut client, "done").await;
            // Longer than a head may take, shorter than a rest.
            sleep(2 * head_time()).await;
        }
        assert_about(
            left_after(client, false).await + 2 * head_time(),
            rest_time(),
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_next_head_begins_with_it() {
    for path in ["/quick", "/slow"] {
        let mut client = connect();
        ask(&mut client, path).await;
        read_to(&mut client, "done").await;
        sleep(2 * head_time()).await;
        assert_about(left_after(client, true).await, head_time());
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_take_longer_than_any_silence() {
    let mut client = connect();
    let started = Instant::now();
    ask(&mut client, "/stream").await;
    read_to(&mut client, "done\r\n0\r\n\r\n").await;
    assert_about(started.elapsed(), 3 * LONG);
    assert_about(left_after(client, false).await, rest_time());
}
