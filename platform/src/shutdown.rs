//! The signal to stop, as a token that every long-running task watches.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tokio::signal::unix::{SignalKind, signal as listen};
use tokio_util::sync::CancellationToken;

use crate::http::Problem;

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
