//! Connections: how long they may be silent, how many there are, and how they end.

mod connections;
mod idle_timeouts;

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// No single step takes as long, unless it hangs.
const PATIENCE: Duration = Duration::from_mins(2);

async fn ask(client: &mut (impl AsyncWrite + Unpin), path: &str) {
    let head = format!("GET {path} HTTP/1.1\r\nhost: tidemark\r\n\r\n");
    client.write_all(head.as_bytes()).await.unwrap();
}

/// Reads until `end` was read.
async fn read_to(client: &mut (impl AsyncRead + Unpin), end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let byte = timeout(PATIENCE, client.read_u8()).await.unwrap().unwrap();
        text.push(char::from(byte));
    }
    text
}

/// Reads until the server closes the connection. A reset is an end too: the server need not read
/// what it has no use for.
async fn read_to_end(client: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, client.read_to_end(&mut bytes)).await;
    if let Err(error) = read.unwrap() {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    String::from_utf8(bytes).unwrap()
}
