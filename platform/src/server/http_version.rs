//! Tells from the first bytes of a connection which version of HTTP the client speaks. They are only
//! peeked at: if they were read and given to hyper before the rest, each connection would take twice the
//! memory.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::sleep;

/// The first bytes of an HTTP/2 connection. No request of HTTP/1 begins with them.
const PREFACE: [u8; 3] = *b"PRI";
/// The pause before peeking again at a preface that arrives in pieces.
const PEEK_INTERVAL: Duration = Duration::from_millis(10);

/// Waits until the client has sent enough to tell whether it speaks HTTP/2.
pub(super) async fn is_http2(stream: &TcpStream) -> io::Result<bool> {
    let mut seen = [0; PREFACE.len()];
    loop {
        let length = stream.peek(&mut seen).await?;
        if length == 0 || seen[..length] != PREFACE[..length] {
            return Ok(false);
        }
        if length == PREFACE.len() {
            return Ok(true);
        }
        sleep(PEEK_INTERVAL).await;
    }
}
