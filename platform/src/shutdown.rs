//! The signal to stop, as a token that every long-running task watches, and how a process ends: in time, and
//! also when a task that it needs has died.

use std::fmt::Display;
use std::process::ExitCode;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal as listen};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::http::Problem;
use crate::{Config, config};

/// A task that the process needs has panicked.
#[derive(Debug, thiserror::Error)]
#[error("{0} panicked")]
pub struct Panicked(&'static str);

/// Runs a whole process on threads of its own, and returns its exit code. Threads that are still at work when it has come to its end,
/// as on a folder that hangs, are waited for no longer than `http.threads_ms`. A runtime that is just dropped waits for ever.
pub fn run_process(process: impl Future<Output = ExitCode>) -> ExitCode {
    let runtime = match Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit_code(Err(error)),
    };
    let code = runtime.block_on(process);
    // A process without settings has begun nothing.
    let patience_ms = Config::load().map_or(0, |config| config.http.threads_ms);
    runtime.shutdown_timeout(Duration::from_millis(patience_ms));
    code
}

/// Returns a token that the first SIGTERM or SIGINT cancels.
///
/// # Errors
/// If signal handlers cannot be installed.
pub fn signal() -> std::io::Result<CancellationToken> {
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let stopped = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        stopped.cancel();
    });
    Ok(token)
}

/// Runs a whole process. What of it still runs when `http.drain_ms` have passed since `shutdown` was cancelled
/// is dropped: a process ends in time, whatever the services do that it waits for.
///
/// # Errors
/// The error of the process.
pub async fn run_until_drained<E>(
    http: &config::Http,
    shutdown: &CancellationToken,
    process: impl Future<Output = Result<(), E>>,
) -> Result<(), E> {
    let drained = async {
        shutdown.cancelled().await;
        tokio::time::sleep(Duration::from_millis(http.drain_ms)).await;
    };
    tokio::select! {
        biased;
        ended = process => ended,
        () = drained => {
            tracing::warn!("the process ends, although not all of it has stopped within http.drain_ms");
            Ok(())
        }
    }
}

/// The exit code of a process that ended like this. An error is written for people, since it may have come before there
/// was a log.
pub fn exit_code<E: Display>(ended: Result<(), E>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Waits for the end of a task that the process needs. If it panics, `shutdown` is cancelled: the process ends
/// so that it is started again, instead of going on without a part of itself.
///
/// # Errors
/// [`Panicked`] if the task did.
pub async fn needed(
    name: &'static str,
    task: AbortOnDropHandle<()>,
    shutdown: &CancellationToken,
) -> Result<(), Panicked> {
    task.await.map_err(|error| {
        tracing::error!(%error, "{name} panicked, so the process ends");
        shutdown.cancel();
        Panicked(name)
    })
}

/// The server's token, for handlers whose response is a stream. Such a stream must end when the token is
/// cancelled, or it delays the shutdown until `http.drain_ms` have passed.
#[derive(Clone, Debug)]
pub struct Shutdown(pub CancellationToken);

impl<S: Sync> FromRequestParts<S> for Shutdown {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let installed = parts.extensions.get::<Self>().cloned();
        installed.ok_or_else(|| Problem::internal("the router is not served by `server::serve`"))
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;
    use crate::testing::config_with;

    #[tokio::test]
    async fn a_process_whose_task_panics_is_told_to_stop() {
        let shutdown = CancellationToken::new();
        let task = AbortOnDropHandle::new(tokio::spawn(async { panic!("a defect") }));
        let ended = needed("the task", task, &shutdown).await;
        assert_eq!(ended.unwrap_err().to_string(), "the task panicked");
        assert!(shutdown.is_cancelled());
    }

    #[test]
    fn a_thread_that_hangs_does_not_keep_a_process() {
        let (keep, hang) = std::sync::mpsc::channel::<()>();
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let code = run_process(async {
            tokio::task::spawn_blocking(move || {
                begun.send(()).unwrap();
                hang.recv()
            });
            has_begun.await.unwrap();
            ExitCode::SUCCESS
        });
        assert_eq!(code, ExitCode::SUCCESS);
        drop(keep);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_stop_is_dropped_after_the_time_to_drain() {
        let config = config_with(&[("TIDEMARK_HTTP__DRAIN_MS", "700")]);
        let shutdown = CancellationToken::new();
        let process = run_until_drained(&config.http, &shutdown, pending::<Result<(), ()>>());
        let stopping = async {
            tokio::time::sleep(Duration::from_hours(1)).await;
            shutdown.cancel();
            tokio::time::Instant::now()
        };
        let (ended, stopped_at) = tokio::join!(process, stopping);
        assert_eq!(ended, Ok(()));
        assert_eq!(stopped_at.elapsed(), Duration::from_millis(700));
    }
}
