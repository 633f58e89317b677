//! Which HTTP a client speaks, as its first bytes tell. They are only looked at: hyper, which reads a head
//! in one piece where it can, would take twice the memory for a connection that it is handed in two.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::sleep;

/// How HTTP/2 begins, and no request of HTTP/1.
const PREFACE: [u8; 3] = *b"PRI";
/// Between two looks at a beginning that came in parts.
const PAUSE: Duration = Duration::from_millis(10);

/// Whether it is HTTP/2. Waits until that can be told.
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
        sleep(PAUSE).await;
    }
}
