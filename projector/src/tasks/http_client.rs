//! The one client by which tasks reach the outside. It follows no redirect, uses no proxy, speaks HTTP/1.1, and connects to no address
//! that is not of the public internet, unless the deployment allows the host. A call has a connection of its own, which ends with it.

mod connecting;
mod exchange;
mod look_ups;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use tidemark_domain::tasks::destination::{is_listed, is_public};
use tidemark_events::UserId;
use tidemark_platform::config;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use connecting::connect;
use exchange::{bounded, exchange};
use look_ups::{LookUps, Place};

pub(super) use exchange::{Answer, KEPT_BYTES_MAX};
pub(super) use tls::of_platform;

/// Calls the servers of tasks, as the settings say.
pub(super) struct HttpClient {
    tls: TlsConnector,
    look_ups: LookUps,
    settings: config::Tasks,
}

/// Why a call has no answer, by how far it had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The name was not looked up, since as many look-ups are under way as may be.
    NoPlace,
    /// The host has no address that may be called.
    Forbidden,
    /// The name has no address, or no connection could be made.
    Unreachable,
    /// No connection was made within the time that one may take.
    NotConnected,
    /// The call had less time than a connection may take, and that ran out before one was made.
    CutOff,
    /// A connection was made, and broke off; or more came than is read before an answer was complete.
    BrokenOff,
    /// A connection was made, and no answer came within the time of the call.
    Unanswered,
}

impl HttpClient {
    /// A client that is bounded by the settings.
    pub(super) fn new(settings: config::Tasks, tls: TlsConnector) -> Self {
        Self {
            tls,
            look_ups: LookUps::new(&settings),
            settings,
        }
    }

    /// Sends a request of this owner to the server of the URL, and returns its answer. Everything together takes so long at most.
    pub(super) async fn call(
        &self,
        url: &Url,
        owner_id: UserId,
        request: Request<Full<Bytes>>,
        time_limit: Duration,
    ) -> Result<Answer, Failure> {
        let end = Instant::now() + time_limit;
        let stream = self.connection(url, owner_id, end).await?;
        match timeout_at(end, self.exchange(url, stream, request)).await {
            Ok(answer) => answer.map_err(|_| Failure::BrokenOff),
            Err(_) => Err(Failure::Unanswered),
        }
    }

    /// A connection to the server, which is made within the time that one may take, and before the end of the call.
    async fn connection(
        &self,
        url: &Url,
        owner_id: UserId,
        end: Instant,
    ) -> Result<TcpStream, Failure> {
        let place = match url.host() {
            Some(Host::Domain(_)) => {
                let place = timeout_at(end, self.look_ups.place(owner_id)).await;
                Some(place.ok().flatten().ok_or(Failure::NoPlace)?)
            }
            Some(Host::Ipv4(_) | Host::Ipv6(_)) | None => None,
        };
        let connecting = async {
            let addresses = self.addresses(url, place).await?;
            let connected = connect(&addresses).await;
            connected.map_err(|_| Failure::Unreachable)
        };
        let most = self.connecting_max();
        let left = end.saturating_duration_since(Instant::now());
        match timeout(most.min(left), connecting).await {
            Ok(connected) => connected,
            Err(_) if left < most => Err(Failure::CutOff),
            Err(_) => Err(Failure::NotConnected),
        }
    }

    /// How long a connection may take. Of a call that has all its time some of that is left, so that no server passes for one to which
    /// connections can be made only because no call waits long enough.
    fn connecting_max(&self) -> Duration {
        let of_call = self.settings.call_timeout_ms / 3 * 2;
        Duration::from_millis(self.settings.connect_timeout_ms.min(of_call))
    }

    /// The addresses of the server that may be called. A name has a place to be looked up.
    async fn addresses(&self, url: &Url, place: Option<Place>) -> Result<Vec<SocketAddr>, Failure> {
        let port = url.port_or_known_default().ok_or(Failure::Forbidden)?;
        let found = match (url.host(), place) {
            (Some(Host::Domain(name)), Some(place)) => {
                let found = place.look_up(name.to_owned()).await;
                found.map_err(|_| Failure::Unreachable)?
            }
            (Some(Host::Ipv4(address)), _) => vec![(address, port).into()],
            (Some(Host::Ipv6(address)), _) => vec![(address, port).into()],
            (Some(Host::Domain(_)) | None, _) => Vec::new(),
        };
        let host = url.host_str().unwrap_or_default();
        let may_be_private = is_listed(host, &self.settings.allowed_private_hosts);
        let admitted = found.into_iter().filter_map(|mut it| {
            it.set_port(port);
            (may_be_private || is_public(it.ip())).then_some(it)
        });
        let admitted: Vec<_> = admitted.collect();
        if admitted.is_empty() {
            return Err(Failure::Forbidden);
        }
        Ok(admitted)
    }

    /// Sends a request on the connection, encrypted if the URL says so, and returns the answer.
    async fn exchange(
        &self,
        url: &Url,
        stream: TcpStream,
        request: Request<Full<Bytes>>,
    ) -> io::Result<Answer> {
        // Where that cannot be set, the request is sent all the same.
        stream.set_nodelay(true).ok();
        let bytes_max = self.settings.answer_bytes_max;
        let stream = bounded(stream, bytes_max);
        let answer = if url.scheme() == "http" {
            exchange(stream, request, bytes_max).await
        } else {
            let name = tls::name(url)?;
            let stream = self.tls.connect(name, stream).await?;
            exchange(stream, request, bytes_max).await
        };
        answer.map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests;
