//! Connections: how long they may be idle, how many there are, and how they end.

mod connections;
mod idle_timeouts;
mod shares;
mod stalled_streams;

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// A step that takes longer hangs.
const HANGS_AFTER: Duration = Duration::from_mins(2);

async fn send_get(client: &mut (impl AsyncWrite + Unpin), path: &str) {
    let head = format!("GET {path} HTTP/1.1\r\nhost: tidemark\r\n\r\n");
    client.write_all(head.as_bytes()).await.unwrap();
}

/// Reads up to and including `end`.
async fn read_to(client: &mut (impl AsyncRead + Unpin), end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let byte = timeout(HANGS_AFTER, client.read_u8())
            .await
            .unwrap()
            .unwrap();
        text.push(char::from(byte));
    }
    text
}

/// Reads until the server closes the connection. It may also reset it, since it need not read what the
/// client still sends.
async fn read_to_end(client: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let read = timeout(HANGS_AFTER, client.read_to_end(&mut bytes)).await;
    if let Err(error) = read.unwrap() {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    String::from_utf8(bytes).unwrap()
}
