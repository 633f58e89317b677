//! One client that is slow, or asks for much, leaves room for the others. Clients are told apart by what a
//! proxy says of their address.

use serde_json::json;
use tidemark_tests::{Answer, App, Client};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::raw::{AT_ONCE, connect};

const SLOW: &str = "192.0.2.1";
const OTHER: &str = "192.0.2.2";

/// Sends a request without its body, which the server then waits for.
async fn send_slowly(url: &str, line: &str) -> TcpStream {
    let mut stream = connect(url).await;
    let head = format!(
        "{line} HTTP/1.1\r\nhost: a\r\nx-forwarded-for: {SLOW}\r\ncontent-type: application/json\r\n\
         content-length: 9\r\nexpect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    let read = timeout(AT_ONCE, stream.read_exact(&mut answer));
    read.await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100");
    stream
}

fn from(app: &App, address: &str) -> Client {
    app.client.with("x-forwarded-for", address)
}

#[tokio::test]
async fn slow_bodies_of_one_address_leave_room_for_another() {
    let app = App::builder()
        .queries()
        .set("TIDEMARK_HTTP__PROXIES", 1)
        .set("TIDEMARK_HTTP__IN_FLIGHT_PER_ADDRESS_MAX", 2)
        .start()
        .await;
    let command = async |address| {
        let client = from(&app, address);
        client.post("/v1/sessions", &json!({})).await
    };
    let query = async |address| from(&app, address).get("/v1/categories").await;

    let (command_url, query_url) = (app.command_url(), app.query_url());
    let slow = [
        send_slowly(command_url, "POST /v1/users").await,
        send_slowly(command_url, "POST /v1/users").await,
        send_slowly(query_url, "GET /v1/categories").await,
        send_slowly(query_url, "GET /v1/categories").await,
    ];
    let refused = command(SLOW).await;
    refused.problem(429, "too_many_requests");
    let words = "At most 2 requests of one address";
    assert!(refused.detail().starts_with(words), "{refused:?}");
    query(SLOW).await.problem(429, "too_many_requests");
    command(OTHER).await.problem(422, "invalid");
    query(OTHER).await.ok();
    drop(slow);
}

#[tokio::test]
async fn live_updates_of_one_address_leave_room_for_another() {
    let app = App::builder()
        .projector()
        .queries()
        .set("TIDEMARK_HTTP__PROXIES", 1)
        .set("TIDEMARK_QUERY__SSE_CLIENTS_PER_ADDRESS_MAX", 1)
        .start()
        .await;
    let market = app.market().await;
    let path = format!("/v1/auctions/{}/live", market.auction(json!({})).await);
    let follow = async |address| from(&app, address).query(&path).send().await.unwrap();
    let _open = follow(SLOW).await.error_for_status().unwrap();
    let refused = Answer::of(follow(SLOW).await).await;
    refused.problem(429, "too_many_requests");
    let words = "At most 1 live updates of one address";
    assert!(refused.detail().starts_with(words), "{refused:?}");
    let _other = follow(OTHER).await.error_for_status().unwrap();
}
