//! Connections to servers. Each is made to an address that was checked, and no name is looked up in between, so that what a name
//! stands for cannot change after the check.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::net::TcpStream;
use tokio::time::sleep;

/// The most addresses of a host to which a connection is tried.
const ADDRESSES_MAX: usize = 16;
/// After so long without a connection the next address is tried beside those before (RFC 8305, section 5), so that a machine that has
/// no way to the first one does not wait for it in vain.
const NEXT_AFTER: Duration = Duration::from_millis(250);

/// A connection to the first of these addresses that takes one.
pub(super) async fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut waiting = addresses.iter().take(ADDRESSES_MAX);
    let mut tried = FuturesUnordered::new();
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        tried.extend(waiting.next().map(TcpStream::connect));
        if tried.is_empty() {
            return Err(failure);
        }
        tokio::select! {
            Some(connected) = tried.next() => match connected {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = error,
            },
            () = sleep(NEXT_AFTER), if waiting.len() > 0 => {}
        }
    }
}
