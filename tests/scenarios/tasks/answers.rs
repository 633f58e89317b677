//! Servers that answer without end, or ask to be called again.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::receiver::{Receiver, application_with, define, outcomes, pause_of_a_busy_server, run};

/// More than the buffers of both ends of a connection hold.
const BUFFERED_MAX: usize = 32 * 1_024 * 1_024;

/// What became of a connection at its server.
struct Ended {
    written: usize,
    after: Duration,
}

/// A server that reads a request, says `begin`, and then `on` until the connection is gone.
fn flood(begin: &'static str, on: &'static str) -> (SocketAddr, mpsc::Receiver<Ended>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (ended, connections) = mpsc::channel();
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let ended = ended.clone();
            thread::spawn(move || ended.send(answer(stream, begin, on)));
        }
    });
    (address, connections)
}

fn answer(mut stream: TcpStream, begin: &str, on: &str) -> Ended {
    let accepted = Instant::now();
    let _request = stream.read(&mut [0; 16_384]).unwrap();
    let mut written = 0;
    let mut says = begin.to_owned();
    while stream.write_all(says.as_bytes()).is_ok() {
        written += says.len();
        says = on.repeat(2_000);
    }
    Ended {
        written,
        after: accepted.elapsed(),
    }
}

#[tokio::test]
async fn an_answer_whose_head_does_not_end_is_read_to_a_bound_and_the_connection_ends_with_the_call()
 {
    let app = application_with(&[
        ("TIDEMARK_TASKS__RETRY_PAUSES_MS", ""),
        ("TIDEMARK_TASKS__CALL_TIMEOUT_MS", "10000"),
    ])
    .await;
    let user = app.user().await;
    for (begin, on) in [
        ("", "HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n"),
        ("HTTP/1.1 200 OK\r\n", "x-more: and-more\r\n"),
        ("HTTP/1.1 200 OK\r\nx-long: ", "a"),
    ] {
        let (address, connections) = flood(begin, on);
        let task = define(&user, &format!("http://{address}/"), json!({})).await;
        let run = run(&user, task).await;
        assert_eq!(outcomes(&run), ["unreachable null"], "{on}");
        let ended = connections.recv_timeout(Duration::from_secs(5)).unwrap();
        assert!(ended.written < BUFFERED_MAX, "{} of {on}", ended.written);
        assert!(ended.after < Duration::from_secs(5), "{:?}", ended.after);
    }
}

#[tokio::test]
async fn a_server_cannot_have_a_run_tried_sooner_than_without_its_word() {
    let pauses = [("TIDEMARK_TASKS__RETRY_PAUSES_MS", "2500")];
    let pause = pause_of_a_busy_server(&application_with(&pauses).await).await;
    assert!(pause >= Duration::from_millis(2_400));
}

#[tokio::test]
async fn a_call_has_the_headers_of_its_owner_and_these() {
    let (app, server) = (application_with(&[]).await, Receiver::start().await);
    let user = app.user().await;
    let own = json!({"headers": {"X-Api-Key": "k-4711"}, "body": "{}"});
    let task = define(&user, &server.url("well?a=b%20c"), own).await;
    run(&user, task).await;
    let [call] = &server.received()[..] else {
        panic!("one call");
    };
    let names: Vec<_> = call.headers.keys().map(String::as_str).collect();
    let expected = [
        "accept",
        "content-length",
        "host",
        "user-agent",
        "webhook-id",
        "webhook-signature",
        "webhook-timestamp",
        "x-api-key",
    ];
    assert_eq!(names, expected);
    assert_eq!(call.headers["accept"], "*/*");
    assert_eq!(call.headers["content-length"], "2");
    assert_eq!(call.headers["host"], format!("127.0.0.1:{}", server.port));
    assert!(call.headers["user-agent"].starts_with("Tidemark/"));
    // What the owner states comes in place of what is said otherwise.
    let own = json!({"method": "GET", "headers": {"Accept": "text/csv", "User-Agent": "ours"}});
    let task = define(&user, &server.url("well?other"), own).await;
    run(&user, task).await;
    let call = &server.received()[1];
    assert_eq!(call.method, "GET");
    assert_eq!(call.headers.get("content-length"), None);
    assert_eq!(call.headers["accept"], "text/csv");
    assert_eq!(call.headers["user-agent"], "ours");
}
