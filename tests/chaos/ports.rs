//! Free TCP ports below the range that the kernel lends to outgoing connections: a server that was
//! killed must find its own port free when it starts again.

use std::net::TcpListener;
use std::sync::atomic::AtomicU16;
use std::sync::atomic::Ordering;

const FIRST: u16 = 20_000;
const LAST: u16 = 32_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port that was free a moment ago. This process does not get it again before all others in the
/// range have been tried.
pub(crate) fn free() -> u16 {
    // Two runs on one machine begin at different ports.
    let start = std::process::id() % u32::from(LAST - FIRST);
    let start = u16::try_from(start).unwrap();
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + start.wrapping_add(step) % (LAST - FIRST);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
