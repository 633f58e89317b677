//! The server answers what no proper client sends, written byte by byte, and reads no body further than
//! its limit.

use tidemark_tests::App;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::raw::{AT_ONCE, connect, is_problem, read_to_close, send};

const LARGER_THAN_ANY_BODY: usize = 100_000;

#[tokio::test]
async fn connect_is_refused() {
    let app = App::builder().queries().start().await;
    for url in [app.command_url(), app.query_url()] {
        for host in ["tidemark.example:443", "192.0.2.1:80", "[2001:db8::1]:443"] {
            // What follows the head is for the other end of a tunnel, so nothing is read of it.
            for rest in [
                "",
                "content-length: 2\r\n",
                "transfer-encoding: chunked\r\n",
            ] {
                let head = format!("CONNECT {host} HTTP/1.1\r\nhost: {host}\r\n{rest}");
                let answer = send(url, &head).await;
                is_problem(&answer, 405, "method_not_allowed");
                assert!(answer.contains("allow: "), "{answer}");
            }
        }
    }
    // No proper client names a path, and who does is answered as with any other method.
    for path in ["/v1/sessions", "http://a/v1/sessions"] {
        let head = format!("CONNECT {path} HTTP/1.1\r\nhost: a\r\n");
        let answer = send(app.command_url(), &head).await;
        is_problem(&answer, 405, "method_not_allowed");
        assert!(answer.contains("allow: POST\r\n"), "{answer}");
        let answer = send(app.query_url(), &head).await;
        is_problem(&answer, 404, "not_found");
    }
}

#[tokio::test]
async fn a_declared_length_over_the_limit_is_refused_before_the_body_is_read() {
    let app = App::start().await;
    for path in ["/v1/users", "/v1/products", "/v1/auctions", "/v1/sessions"] {
        let mut stream = connect(app.command_url()).await;
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: {LARGER_THAN_ANY_BODY}\r\n\r\n{{"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = read_to_close(&mut stream).await;
        is_problem(&answer, 413, "body_too_large");
    }
    assert_eq!(app.database.head().await, 0);
}

#[tokio::test]
async fn an_endless_body_is_refused_at_the_limit() {
    let app = App::start().await;
    for path in ["/v1/users", "/v1/products", "/v1/auctions", "/v1/sessions"] {
        let (mut reading, mut writing) = connect(app.command_url()).await.into_split();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        writing.write_all(head.as_bytes()).await.unwrap();
        let endless = tokio::spawn(async move {
            let chunk = format!("400\r\n{}\r\n", " ".repeat(0x400));
            let mut sent = 0;
            while writing.write_all(chunk.as_bytes()).await.is_ok() {
                sent += chunk.len();
            }
            sent
        });
        let answer = read_to_close(&mut reading).await;
        is_problem(&answer, 413, "body_too_large");
        let sent = timeout(AT_ONCE, endless).await.unwrap().unwrap();
        // The buffers of the kernel hold some megabytes more than the server has read.
        assert!(sent < 20_000_000, "{path} took {sent} bytes");
    }
    assert_eq!(app.database.head().await, 0);
}
