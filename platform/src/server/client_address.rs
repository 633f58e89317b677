//! The address of the client that sent a request, behind as many proxies as the settings say.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderName};

use crate::http::Problem;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the client that sent a request. That of an IPv6 client is its /64 network, of which a
/// client has all addresses. The extractor needs a router that is served by `server::serve`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// Each proxy appends the address of its client to `X-Forwarded-For`. What stands before the last
    /// `proxies` addresses was sent by the client, who may write anything.
    pub(super) fn new(connection: IpAddr, headers: &HeaderMap, proxies: usize) -> Self {
        let lines = headers.get_all(FORWARDED_FOR).iter();
        let forwarded: Vec<_> = lines
            .flat_map(|line| line.to_str().unwrap_or_default().split(','))
            .collect();
        let from_proxy = proxies
            .checked_sub(1)
            .and_then(|skipped| forwarded.iter().rev().nth(skipped))
            .and_then(|address| parse(address.trim()));
        Self(network(from_proxy.unwrap_or(connection)))
    }

    /// The address that the server has found.
    pub(crate) fn of(extensions: &Extensions) -> Result<Self, Problem> {
        let address = extensions.get::<Self>().copied();
        address.ok_or_else(|| Problem::internal("the router is not served by `server::serve`"))
    }
}

/// An address, which some proxies write with the port.
fn parse(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    text.parse().ok().or_else(with_port)
}

pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::of(&parts.extensions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(connection: &str, forwarded: &[&'static str], proxies: usize) -> String {
        let headers = forwarded
            .iter()
            .map(|line| (FORWARDED_FOR, line.parse().unwrap()));
        let headers: HeaderMap = headers.collect();
        ClientAddress::new(connection.parse().unwrap(), &headers, proxies)
            .0
            .to_string()
    }

    #[test]
    fn only_what_proxies_have_written_is_believed() {
        let lines = ["6.6.6.6, 1.2.3.4", "10.0.0.1"];
        assert_eq!(address("10.0.0.2", &lines, 0), "10.0.0.2");
        assert_eq!(address("10.0.0.2", &lines, 1), "10.0.0.1");
        assert_eq!(address("10.0.0.2", &lines, 2), "1.2.3.4");
        assert_eq!(address("10.0.0.2", &["unknown"], 1), "10.0.0.2");
        assert_eq!(address("10.0.0.2", &[], 1), "10.0.0.2");
        assert_eq!(address("10.0.0.2", &["1.2.3.4:50000"], 1), "1.2.3.4");
    }

    #[test]
    fn an_ipv6_client_is_its_network() {
        assert_eq!(address("2001:db8:1:2:3:4:5:6", &[], 0), "2001:db8:1:2::");
        assert_eq!(address("::ffff:1.2.3.4", &[], 0), "1.2.3.4");
    }
}
