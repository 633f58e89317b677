//! The one client by which tasks reach the outside. It follows no redirect, uses no proxy, and connects to no address that
//! is not of the public internet, unless the deployment allows the host.

use std::error::Error as StdError;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use tidemark_domain::tasks::destination::{is_listed, is_public};
use tokio::net::lookup_host;

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

/// The client, whose calls take so long at most.
///
/// # Errors
/// If TLS cannot be set up.
pub(super) fn client(allowed: &[String], timeout: Duration) -> reqwest::Result<Client> {
    let resolver = PublicAddresses {
        allowed: allowed.into(),
    };
    Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .timeout(timeout)
        // Each call looks the name up anew.
        .pool_max_idle_per_host(0)
        .dns_resolver(Arc::new(resolver))
        .user_agent(concat!("Tidemark/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// Whether nothing was sent because the host has no address that may be called.
pub(super) fn is_forbidden(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<AddressForbidden>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests;
