//! Streams of HTTP/2 whose client takes nothing of them, on one connection. Time is paused, as for idle timeouts.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use futures::{StreamExt, stream};
use h2::client::{Builder, SendRequest};
use h2::{Reason, RecvStream};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::duplex;
use tokio::time::{Instant, sleep};

use super::super::idle_timeout::{Activity, IdleTimeouts, TimeoutStream};
use super::super::{answer, builder};
use crate::testing::config;

/// Longer than all timeouts.
const LONG: Duration = Duration::from_secs(100);

/// What an answer holds as long as it is sent.
type Place = Arc<()>;

/// A part at once, and another after a long pause.
async fn parts(State(place): State<Place>) -> Response {
    let parts = stream::iter([Duration::ZERO, LONG]).then(move |pause| {
        let _place = Arc::clone(&place);
        async move {
            sleep(pause).await;
            Ok::<_, std::io::Error>(Bytes::from_static(b"part"))
        }
    });
    Response::new(Body::from_stream(parts))
}

/// A client that takes so many bytes of each stream, until it says that it takes more.
async fn connect(place: &Place, window: u32) -> SendRequest<Bytes> {
    let router = Router::new()
        .route("/parts", get(parts))
        .route("/nothing", get(|| async {}))
        .with_state(Arc::clone(place));
    let (client, server) = duplex(4_096);
    let (http, activity) = (config().http, Activity::default());
    let timeouts = IdleTimeouts::new(&http);
    let stream = TokioIo::new(TimeoutStream::new(server, activity.clone(), timeouts));
    let service = service_fn(move |request: Request<Incoming>| {
        answer(router.clone(), activity.begin(request.version()), request)
    });
    tokio::spawn(async move {
        let _ = builder(&http)
            .http2_only()
            .serve_connection(stream, service)
            .await;
    });
    let handshake = Builder::new().initial_window_size(window).handshake(client);
    let (sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn send_get(sender: &SendRequest<Bytes>, path: &str) -> RecvStream {
    let uri = format!("http://tidemark{path}");
    let request = axum::http::Request::get(uri).body(()).unwrap();
    let mut sender = sender.clone().ready().await.unwrap();
    let (response, _) = sender.send_request(request, true).unwrap();
    let response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    response.into_body()
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_which_a_client_takes_nothing_is_reset() {
    let place = Place::default();
    let sender = connect(&place, 0).await;
    let idle = Arc::strong_count(&place);
    let mut body = send_get(&sender, "/parts").await;
    assert!(Arc::strong_count(&place) > idle);
    let started = Instant::now();
    let error = body.data().await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Some(Reason::CANCEL), "{error}");
    let timeout = Duration::from_millis(config().http.write_timeout_ms);
    assert!(started.elapsed().abs_diff(timeout) <= Duration::from_millis(2));
    // Its place is free, and others on the connection go on.
    assert_eq!(Arc::strong_count(&place), idle);
    let mut other = send_get(&sender, "/nothing").await;
    assert!(other.data().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_stream_may_take_longer_than_all_timeouts_for_its_next_part() {
    let place = Place::default();
    let sender = connect(&place, 1_024).await;
    let mut body = send_get(&sender, "/parts").await;
    let started = Instant::now();
    let mut received = Vec::new();
    while let Some(part) = body.data().await {
        received.extend(part.unwrap());
    }
    assert_eq!(received, b"partpart");
    assert!(started.elapsed() >= LONG);
}
