//! Work that takes a core for so long that others would wait for it: passwords and schedules.

use std::io;
use std::thread;

use rustix::process::nice;
use tokio::sync::oneshot;

/// By how much the system prefers the threads that answer requests, in its units of niceness (`nice(2)`). Where all cores are
/// busy, a thread that is patient by this much gets a third of what one of the others gets: enough that a log-in is not kept waiting
/// by those who bid.
const NICENESS: i32 = 5;

/// Runs `work` on a thread of its own, which the system lets wait for those that answer requests. The thread ends with the
/// work, since one that has been made to wait may not be preferred again.
///
/// # Errors
/// If no thread can be started, or the work panics.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (done, result) = oneshot::channel();
    let patient = move || {
        be_patient();
        // Who asked may have gone, and needs no result then.
        done.send(work()).ok();
    };
    thread::Builder::new()
        .name("patient work".into())
        .spawn(patient)?;
    let result = result.await;
    result.map_err(|_| io::Error::other("the work panicked"))
}

/// Only on Linux is niceness that of a thread. Elsewhere it is that of the process.
fn be_patient() {
    if !cfg!(target_os = "linux") {
        return;
    }
    if let Err(error) = nice(NICENESS) {
        tracing::warn!(%error, "work that takes long is not made to wait for requests");
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::nice;

    use super::*;

    #[tokio::test]
    async fn only_the_thread_that_works_is_patient() {
        let before = nice(0).unwrap();
        let while_working = run(|| nice(0).unwrap()).await.unwrap();
        assert_eq!(while_working, (before + NICENESS).min(19));
        assert_eq!(nice(0).unwrap(), before);
    }

    #[tokio::test]
    async fn a_panic_is_an_error() {
        let result = run(|| panic!("as a library may")).await;
        assert_eq!(result.unwrap_err().to_string(), "the work panicked");
    }
}
