//! The one client by which tasks reach the outside. It follows no redirect, uses no proxy, and connects to no address that
//! is not of the public internet, unless the deployment allows the host.

use std::error::Error as StdError;
use std::io;
use std::iter;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use tidemark_domain::tasks::destination::{is_listed, is_public};
use tokio::net::lookup_host;

/// What fails once the server was reached: TLS, or the connection while TLS begins.
const FAILURES_OF_REACHED: [io::ErrorKind; 5] = [
    io::ErrorKind::InvalidData,
    io::ErrorKind::UnexpectedEof,
    io::ErrorKind::ConnectionReset,
    io::ErrorKind::ConnectionAborted,
    io::ErrorKind::BrokenPipe,
];

/// A host all of whose addresses are not of the public internet.
#[derive(Debug, thiserror::Error)]
#[error("the host has no address of the public internet")]
struct AddressForbidden;

/// Looks names up, and gives only addresses that tasks may call. The client connects to one of these and looks no name up
/// again, so that the answer cannot change in between.
struct PublicAddresses {
    allowed: Arc<[String]>,
}

impl Resolve for PublicAddresses {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = Arc::clone(&self.allowed);
        Box::pin(async move {
            let host = name.as_str().trim_end_matches('.');
            let found: Vec<SocketAddr> = lookup_host((host, 0)).await?.collect();
            let may_be_private = is_listed(host, &allowed);
            let admitted: Vec<_> = found
                .into_iter()
                .filter(|address| may_be_private || is_public(address.ip()))
                .collect();
            if admitted.is_empty() {
                return Err(AddressForbidden.into());
            }
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
    }
}

/// The client, whose calls take so long at most, from which the connection must be there after a shorter time.
///
/// # Errors
/// If TLS cannot be set up.
pub(super) fn client(
    allowed: &[String],
    connect_timeout: Duration,
    timeout: Duration,
) -> reqwest::Result<Client> {
    let resolver = PublicAddresses {
        allowed: allowed.into(),
    };
    Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(connect_timeout)
        .timeout(timeout)
        // Each call looks the name up anew.
        .pool_max_idle_per_host(0)
        .dns_resolver(Arc::new(resolver))
        .user_agent(concat!("Tidemark/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// Whether nothing was sent because the host has no address that may be called.
pub(super) fn is_forbidden(error: &reqwest::Error) -> bool {
    causes(error).any(<dyn StdError + 'static>::is::<AddressForbidden>)
}

/// Whether no connection to the server could be made.
pub(super) fn is_unreachable(error: &reqwest::Error) -> bool {
    let mut failures = causes(error).filter_map(|it| it.downcast_ref::<io::Error>());
    error.is_connect() && !failures.any(|it| FAILURES_OF_REACHED.contains(&kind(it)))
}

/// The kind of a failure, or of the one that it wraps, which is not among its causes.
fn kind(failure: &io::Error) -> io::ErrorKind {
    let wrapped = failure.get_ref();
    let wrapped = wrapped.and_then(|it| it.downcast_ref::<io::Error>());
    wrapped.map_or_else(|| failure.kind(), kind)
}

/// An error and what caused it, the last first.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    iter::successors(Some(error as &(dyn StdError + 'static)), |&it| it.source())
}

#[cfg(test)]
mod tests;
