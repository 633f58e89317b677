//! Clients who take pictures slowly hold places that are bounded, and lose them.

use axum::body::Bytes;
use futures::future::join_all;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use serde_json::json;
use tidemark_tests::app::AppBuilder;
use tidemark_tests::pictures::noise;
use tidemark_tests::{Answer, App, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::time::{Duration, interval};
use uuid::Uuid;

const SLOW: &str = "192.0.2.1";
const OTHER: &str = "192.0.2.2";
/// How many bytes of a stream a slow client takes before it says that it takes more.
const WINDOW: u32 = 1_024;

/// Processes that tell clients apart by what a proxy says.
fn builder() -> AppBuilder {
    let app = App::builder().projector().queries();
    app.set("TIDEMARK_HTTP__PROXIES", 1)
        .set("TIDEMARK_MEDIA__INSPECTION_MS", 120_000)
}

/// A picture of so many pixels on each side, each of which takes about three bytes.
async fn picture(app: &App, side: u32) -> Uuid {
    let seller = app.seller().await;
    let uploaded = seller.upload("image/png", noise(side, side)).await;
    let id = uploaded.ok().id();
    app.settle().await;
    id
}

/// Gets all bytes of a picture, over a connection of its own, or its refusal.
async fn get(app: &App, address: &str, path: &str) -> Result<Bytes, Answer> {
    let client = app.client.with("x-forwarded-for", address);
    let response = client.query(path).send().await.unwrap();
    if response.status().is_success() {
        return Ok(response.bytes().await.unwrap());
    }
    Err(Answer::of(response).await)
}

/// A connection over HTTP/2 of a client who takes little.
async fn slow_connection(app: &App) -> SendRequest<String> {
    let address = app.query_url().strip_prefix("http://").unwrap();
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let handshake = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(WINDOW)
        .handshake(TokioIo::new(stream));
    let (sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    sender
}

/// Begins to get a picture, and takes nothing of it but its head.
async fn begin(
    sender: &SendRequest<String>,
    (address, path, range): (&str, &str, &str),
) -> hyper::Response<Incoming> {
    let request = hyper::Request::get(format!("http://tidemark{path}"))
        .header("x-forwarded-for", address)
        .header("range", range)
        .body(String::new());
    let mut sender = sender.clone();
    sender.ready().await.unwrap();
    sender.send_request(request.unwrap()).await.unwrap()
}

#[tokio::test]
async fn slow_downloads_of_one_address_leave_room_for_another() {
    let app = builder()
        .set("TIDEMARK_MEDIA__DOWNLOADS_MAX", 12)
        .set("TIDEMARK_MEDIA__DOWNLOADS_PER_ADDRESS_MAX", 3)
        .start()
        .await;
    let id = picture(&app, 800).await;
    let seller = app.seller().await;
    let avatar = seller.upload_as("avatar", "image/png", noise(600, 600));
    let avatar = avatar.await.ok().id();
    let chosen = format!("/v1/users/{}/avatar", seller.id);
    seller.post(&chosen, &json!({"avatar": avatar})).await.ok();
    app.settle().await;
    let (path, avatar) = (
        format!("/v1/media/{id}/full"),
        format!("/v1/media/{avatar}/full"),
    );
    let sender = slow_connection(&app).await;
    // All kinds count: what is compared as a whole, ranges, and what is unsealed.
    let held = [
        (path.as_str(), "none"),
        (path.as_str(), "bytes=0-1000000"),
        (avatar.as_str(), "none"),
    ];
    let held = held.map(|(path, range)| begin(&sender, (SLOW, path, range)));
    let held = join_all(held).await;
    assert!(held.iter().all(|it| it.status().is_success()), "{held:?}");
    for path in [&path, &avatar] {
        let refused = begin(&sender, (SLOW, path, "none")).await;
        assert_eq!(refused.status(), 429);
        let refused = get(&app, SLOW, path).await.unwrap_err();
        refused.problem(429, "too_many_requests");
        let words = "At most 3 pictures may be sent to one address";
        assert!(refused.detail().starts_with(words), "{refused:?}");
        get(&app, OTHER, path).await.unwrap();
    }
    // Whoever is refused pictures may still read all else.
    let client = app.client.with("x-forwarded-for", SLOW);
    client.get("/v1/auctions").await.ok();
    drop(held);
    drop(sender);
    eventually("the places to be free", || async {
        get(&app, SLOW, &path).await.ok()
    })
    .await;
}

#[tokio::test]
async fn downloads_of_all_addresses_are_bounded() {
    let app = builder()
        .set("TIDEMARK_MEDIA__DOWNLOADS_MAX", 4)
        .set("TIDEMARK_MEDIA__DOWNLOADS_PER_ADDRESS_MAX", 1)
        .start()
        .await;
    let path = format!("/v1/media/{}/full", picture(&app, 800).await);
    let sender = slow_connection(&app).await;
    let addresses = (1..=4).map(|it| format!("192.0.2.{it}"));
    let held = addresses.map(async |it| begin(&sender, (&it, &path, "none")).await);
    let held = join_all(held).await;
    assert!(held.iter().all(|it| it.status() == 200), "{held:?}");
    let refused = get(&app, "192.0.2.5", &path).await.unwrap_err();
    refused.problem(503, "too_many_downloads");
    assert!(refused.headers.contains_key("retry-after"));
    drop((held, sender));
    eventually("the places to be free", || async {
        get(&app, "192.0.2.5", &path).await.ok()
    })
    .await;
}

/// An application with one place for an address, which it loses if it takes less than a megabyte a second for a while.
async fn impatient() -> App {
    builder()
        .set("TIDEMARK_MEDIA__DOWNLOADS_PER_ADDRESS_MAX", 1)
        .set("TIDEMARK_MEDIA__DOWNLOAD_RATE_MIN", 1_000_000)
        .set("TIDEMARK_HTTP__WRITE_TIMEOUT_MS", 5_000)
        .start()
        .await
}

/// Waits until the slow client has lost its place.
async fn place_comes_back(app: &App, path: &str) {
    eventually("the place to be free", || async {
        get(app, SLOW, path).await.ok()
    })
    .await;
}

#[tokio::test]
async fn a_stream_of_which_a_client_takes_little_now_and_then_ends() {
    let app = impatient().await;
    let path = format!("/v1/media/{}/full", picture(&app, 800).await);
    let sender = slow_connection(&app).await;
    let mut slow = begin(&sender, (SLOW, &path, "none")).await;
    let refused = get(&app, SLOW, &path).await.unwrap_err();
    refused.problem(429, "too_many_requests");
    // None of the pauses is longer than a client may take nothing.
    let mut pauses = interval(Duration::from_millis(100));
    let mut taken = 0;
    let ended = loop {
        pauses.tick().await;
        match slow.body_mut().frame().await {
            Some(Ok(frame)) => taken += frame.into_data().unwrap().len(),
            ended => break ended,
        }
        assert!(taken < 1_000_000, "it is sent for ever");
    };
    assert!(ended.unwrap().is_err());
    place_comes_back(&app, &path).await;
}

#[tokio::test]
async fn a_connection_of_which_a_client_takes_little_now_and_then_ends() {
    let app = impatient().await;
    // More than what the system holds between a process and a client.
    let path = format!("/v1/media/{}/full", picture(&app, 1_800).await);
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let address = app.query_url().strip_prefix("http://").unwrap();
    let mut slow = socket.connect(address.parse().unwrap()).await.unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: a\r\nx-forwarded-for: {SLOW}\r\n\r\n");
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut piece = [0; 4_096];
    let mut taken = slow.read(&mut piece).await.unwrap();
    let refused = get(&app, SLOW, &path).await.unwrap_err();
    refused.problem(429, "too_many_requests");
    let mut pauses = interval(Duration::from_millis(100));
    let reading = async {
        while let Ok(bytes @ 1..) = slow.read(&mut piece).await {
            taken += bytes;
            pauses.tick().await;
        }
    };
    tokio::select! {
        () = place_comes_back(&app, &path) => {}
        () = reading => panic!("the client has all"),
    }
    while let Ok(bytes @ 1..) = slow.read(&mut piece).await {
        taken += bytes;
    }
    let whole = get(&app, OTHER, &path).await.unwrap();
    assert!(taken < whole.len(), "{taken}");
}
