//! Serving a router on a listener: timeouts and limits that `axum::serve` lacks, and an end that is
//! orderly within a deadline. TLS is ended in front of it.

mod idle;
mod version;

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::{BoxError, Router};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use self::idle::{Activity, InFlight, Silence, Watched};
use crate::config;
use crate::shutdown::Shutdown;

/// How long accepting rests when the process has run out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Streams that an HTTP/2 client may reset before they are answered.
const RESET_STREAMS_MAX: usize = 20;
/// hyper's least buffer.
const BUFFER_BYTES_MIN: usize = 8192;

/// Serves until `shutdown` is cancelled, then lets requests in flight end, for `http.drain_ms` at most.
/// Handlers find the token as [`Shutdown`].
///
/// # Errors
/// If the listener is broken.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    http: &config::Http,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    let (http1, http2) = (builder(http).http1_only(), builder(http).http2_only());
    let (http1, http2) = (Arc::new(http1), Arc::new(http2));
    let silence = Silence::of(http);
    let head_timeout = Duration::from_millis(http.header_read_timeout_ms);
    let places = Arc::new(Semaphore::new(http.connections_max));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    tracing::info!(%address, "serving");

    loop {
        // A connection over the limit waits in the listener's queue.
        let accepted = async {
            let place = places.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, stream) = tokio::select! {
            () = shutdown.cancelled() => break,
            (place, accepted) = accepted => match accepted {
                Ok((stream, _)) => (place, stream),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        let (http1, http2, watcher) = (Arc::clone(&http1), Arc::clone(&http2), graceful.watcher());
        let (router, shutdown) = (router.clone(), shutdown.clone());
        // An answer is written at once: waiting to fill a packet only delays it.
        let _ = stream.set_nodelay(true);
        connections.spawn(async move {
            let _place = place;
            let version = timeout(head_timeout, version::is_http2(&stream));
            let Some(Ok(Ok(is_http2))) = shutdown.run_until_cancelled(version).await else {
                return;
            };
            let builder = if is_http2 { http2 } else { http1 };
            let stream = (stream, silence);
            let connection = connection(&builder, stream, router, Shutdown(shutdown), watcher);
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
        });
        while connections.try_join_next().is_some() {}
    }

    drop(listener);
    let drained = timeout(Duration::from_millis(http.drain_ms), graceful.shutdown()).await;
    if drained.is_err() {
        tracing::warn!(%address, connections = connections.len(), "closing connections that did not end in time");
    }
    connections.shutdown().await;
    tracing::info!(%address, "stopped");
    Ok(())
}

/// One connection. No async function, since that would hold all that it is made of beside it, for each
/// of thousands of clients.
fn connection(
    builder: &Builder<TokioExecutor>,
    (stream, silence): (TcpStream, Silence),
    router: Router,
    shutdown: Shutdown,
    watcher: Watcher,
) -> impl Future<Output = Result<(), BoxError>> + use<> {
    let activity = Activity::default();
    let stream = TokioIo::new(Watched::new(stream, activity.clone(), silence));
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(shutdown.clone());
        answer(router.clone(), activity.begin(request.version()), request)
    });
    watcher.watch(builder.serve_connection(stream, service).into_owned())
}

fn builder(http: &config::Http) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // A request line and headers that are just too large still reach the layers, and get a problem.
    let buffer = 2 * (http.url_bytes_max + http.header_bytes_max);
    builder
        .http1()
        .timer(TokioTimer::new())
        // `idle` watches that, since this would also end connections that rest between requests.
        .header_read_timeout(None)
        .max_headers(2 * http.headers_max)
        .max_buf_size(buffer.max(BUFFER_BYTES_MIN));
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_millis(http.keep_alive_ms))
        .max_concurrent_streams(http.http2_streams_max)
        .max_header_list_size(u32::try_from(buffer).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(RESET_STREAMS_MAX)
        .max_local_error_reset_streams(RESET_STREAMS_MAX);
    builder
}

/// The request is in flight until its answer has been written, not only begun.
async fn answer(
    router: Router,
    in_flight: InFlight,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let response = router.oneshot(request.map(Body::new)).await?;
    Ok(response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _ = &in_flight;
            frame
        }))
    }))
}

#[cfg(test)]
mod tests;
