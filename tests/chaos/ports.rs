//! Ports of servers, which are kept for as long as this process runs: a server that was killed must find its own port free when it
//! starts again.

use std::sync::{Mutex, PoisonError};

use tidemark_tests::KeptPort;

static KEPT: Mutex<Vec<KeptPort>> = Mutex::new(Vec::new());

/// A port that nobody else gets, neither from this process nor from the kernel.
pub(crate) fn keep() -> u16 {
    let port = KeptPort::any();
    let number = port.number;
    KEPT.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(port);
    number
}
