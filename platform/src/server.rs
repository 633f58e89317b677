//! Serves a router on a listener, with the timeouts and limits that `axum::serve` lacks, and with a
//! graceful shutdown that has a deadline. TLS must be terminated in front of it.

mod client_address;
mod http_version;
mod idle_timeout;
mod open_files;
mod stalled_streams;

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::{BoxError, Router};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

pub use self::client_address::ClientAddress;
pub use self::open_files::allow_open_files;

use self::client_address::network;
use self::idle_timeout::{Activity, IdleTimeouts, InFlight, TimeoutStream};
use self::stalled_streams::{AnswerBody, StreamExecutor};
use crate::config;
use crate::shares::Shares;
use crate::shutdown::Shutdown;

/// The pause after `accept` failed, which happens when the process has run out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections that may wait to be accepted. The kernel allows as many of them as its `net.core.somaxconn` says.
const WAITING_MAX: u32 = 4_096;
/// Streams that an HTTP/2 client may reset before they are answered, without being disconnected.
const RESET_STREAMS_MAX: usize = 20;
/// The smallest buffer that hyper accepts.
const BUFFER_BYTES_MIN: usize = 8192;

/// Listens at an address. More connections may wait to be accepted than most programs allow, so that very many clients who
/// connect at the same moment, as after a deployment, do not have to try again.
///
/// # Errors
/// If the address is taken, or is not one of this machine.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // Connections of the process before this one may still be closing.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING_MAX)
}

/// Serves until `shutdown` is cancelled. Requests that are in flight then may go on for `http.drain_ms`.
/// Handlers get the token by the extractor [`Shutdown`].
///
/// # Errors
/// If the listener has no local address.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    http: &config::Http,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let (address, proxies) = (listener.local_addr()?, http.proxies);
    let (http1, http2) = (builder(http).http1_only(), builder(http).http2_only());
    let (http1, http2) = (Arc::new(http1), Arc::new(http2));
    let timeouts = IdleTimeouts::new(http);
    let head_timeout = Duration::from_millis(http.header_read_timeout_ms);
    let slots = Arc::new(Semaphore::new(http.connections_max));
    let addresses = Shares::default();
    // The connections of proxies carry the requests of many clients.
    let per_address_max = match proxies {
        0 => http.connections_per_address_max,
        _ => usize::MAX,
    };
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    tracing::info!(%address, "serving");

    loop {
        // Nothing is accepted over the limit: further connections wait in the listener's queue.
        let accepted = async {
            let slot = slots.clone().acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, stream, client) = tokio::select! {
            () = shutdown.cancelled() => break,
            (slot, accepted) = accepted => match accepted {
                Ok((stream, peer)) => (slot, stream, peer.ip()),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        let Some(held) = addresses.take(network(client), per_address_max) else {
            metrics::counter!("tidemark_http_refused_connections_total").increment(1);
            continue;
        };
        let (http1, http2, watcher) = (Arc::clone(&http1), Arc::clone(&http2), graceful.watcher());
        let (router, shutdown) = (router.clone(), shutdown.clone());
        // Responses are written whole, so waiting to fill a packet would only delay them.
        let _ = stream.set_nodelay(true);
        connections.spawn(async move {
            let _places = (slot, held);
            let version = timeout(head_timeout, http_version::is_http2(&stream));
            let Some(Ok(Ok(is_http2))) = shutdown.run_until_cancelled(version).await else {
                return;
            };
            let builder = if is_http2 { http2 } else { http1 };
            let stream = (stream, timeouts);
            let client = (client, proxies);
            let connection = connection(&builder, stream, client, router, shutdown, watcher);
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection ended with an error");
            }
        });
        while connections.try_join_next().is_some() {}
    }

    drop(listener);
    let drained = timeout(Duration::from_millis(http.drain_ms), graceful.shutdown()).await;
    if drained.is_err() {
        tracing::warn!(%address, connections = connections.len(), "closing the connections whose requests did not end within http.drain_ms");
    }
    connections.shutdown().await;
    tracing::info!(%address, "stopped");
    Ok(())
}

/// Serves one connection. This is not an async function, because the future of one would keep all of its
/// arguments beside the connection that is made of them, for each of thousands of clients.
fn connection(
    builder: &Builder<StreamExecutor>,
    (stream, timeouts): (TcpStream, IdleTimeouts),
    (address, proxies): (IpAddr, usize),
    router: Router,
    shutdown: CancellationToken,
    watcher: Watcher,
) -> impl Future<Output = Result<(), BoxError>> + use<> {
    let activity = Activity::default();
    let shutdown = Shutdown(shutdown);
    let stream = TokioIo::new(TimeoutStream::new(stream, activity.clone(), timeouts));
    let service = service_fn(move |mut request: Request<Incoming>| {
        let client = ClientAddress::new(address, request.headers(), proxies);
        request.extensions_mut().insert(client);
        request.extensions_mut().insert(shutdown.clone());
        answer(router.clone(), activity.begin(request.version()), request)
    });
    watcher.watch(builder.serve_connection(stream, service).into_owned())
}

fn builder(http: &config::Http) -> Builder<StreamExecutor> {
    let mut builder = Builder::new(StreamExecutor {
        timeout: Duration::from_millis(http.write_timeout_ms),
    });
    // hyper allows twice as much as the middleware, so that most heads that are too large reach it and are
    // answered with a problem.
    let buffer = 2 * (http.url_bytes_max + http.header_bytes_max);
    builder
        .http1()
        .timer(TokioTimer::new())
        // `idle_timeout` limits that; this timeout would also end connections between requests.
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

/// Answers a request, which counts as in flight until the whole body of the response has been written.
async fn answer(
    router: Router,
    in_flight: InFlight,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let response = router.oneshot(request.map(Body::new)).await?;
    Ok(response.map(|body| Body::new(AnswerBody::new(body, in_flight))))
}

#[cfg(test)]
mod tests;
