//! What tasks may call: servers of the public internet, and hosts that the deployment names.
//!
//! Names are checked when a task is defined, and addresses too, since those that a name stands for are known only when it is
//! called.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tidemark_events::tasks::task::Host;
use url::Url;

/// The port of `https` unless a URL names another one.
const HTTPS_PORT: u16 = 443;

/// Ports from 1024 on that browsers do not call, since other protocols are known for them: the "bad ports" of the
/// [Fetch Standard](https://fetch.spec.whatwg.org/#port-blocking).
const BAD_PORTS: [u16; 19] = [
    1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669,
    6679, 6697, 10080,
];

/// Ports of databases, queues, clusters and desktops, which the standard does not name.
const INNER_PORTS: [u16; 16] = [
    1433, 1521, 2375, 2376, 2379, 3306, 3389, 5432, 5672, 5900, 6379, 6443, 9092, 9200, 11211,
    27017,
];

/// Names that stand for the machine itself or for its network, whatever they resolve to.
const PRIVATE_SUFFIXES: [&str; 4] = ["localhost", "local", "internal", "home.arpa"];

/// Where a task calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The URL, written as all that lead there are: without a dot at the end of its host, and without a fragment, which no
    /// server is sent.
    pub url: Url,
    /// Its host.
    pub host: Host,
    /// Its port; none if it is the one of `https`.
    pub port: Option<u16>,
}

/// What a deployment says of hosts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hosts<'a> {
    /// Hosts that tasks may call although they are private, at any port, and without encryption.
    pub allowed: &'a [String],
    /// Hosts of its own APIs, which tasks must not call at any port; or hosts with a port, at which alone they must not.
    pub own: &'a [String],
}

/// The hosts that a deployment names as its own, and those of the URLs at which it is reached, for [`Hosts::own`]. Of a host that is
/// allowed although it is private, such as a machine on which other servers run too, it is the server of the URL alone.
#[must_use]
pub fn own_hosts<'a>(
    named: &[String],
    allowed: &[String],
    urls: impl IntoIterator<Item = &'a str>,
) -> Vec<String> {
    let of_url = |url| {
        let (url, name) = normalised(url)?;
        if !is_listed(&name, allowed) {
            return Some(name);
        }
        let port = url.port_or_known_default()?;
        Some(server(&name, (port != HTTPS_PORT).then_some(port.into())))
    };
    let of_urls = urls.into_iter().filter_map(of_url);
    named.iter().cloned().chain(of_urls).collect()
}

/// Why a task must not call a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// The URL is not encrypted.
    #[error("must begin with https://")]
    NotEncrypted,
    /// Something else than a web server may listen at the port.
    #[error("must have the port 443, or one from 1024 on that no other protocol is known for")]
    Port,
    /// The host is not one of the public internet.
    #[error("must name a host of the public internet")]
    Private,
    /// The host is that of the deployment itself.
    #[error("must not name a host of the APIs by which tasks are defined")]
    Own,
}

impl Destination {
    /// The destination of a URL of the web.
    ///
    /// # Errors
    /// If tasks must not call it.
    pub fn new(url: &str, hosts: Hosts<'_>) -> Result<Self, DestinationError> {
        let (url, name) = normalised(url).ok_or(DestinationError::Private)?;
        let host = Host::try_from(name.clone()).map_err(|_| DestinationError::Private)?;
        let port = url.port_or_known_default().unwrap_or_default();
        let is_encrypted = url.scheme() == "https";
        let destination = Self {
            url,
            host,
            port: (port != HTTPS_PORT).then_some(port),
        };
        if is_listed(&name, hosts.own) || is_listed(&destination.server(), hosts.own) {
            return Err(DestinationError::Own);
        }
        if is_listed(&name, hosts.allowed) {
            return Ok(destination);
        }
        if !is_encrypted {
            return Err(DestinationError::NotEncrypted);
        }
        let is_known = BAD_PORTS.contains(&port) || INNER_PORTS.contains(&port);
        if (port < 1_024 && port != HTTPS_PORT) || is_known {
            return Err(DestinationError::Port);
        }
        match address(&name) {
            Some(address) if is_public(address) => Ok(destination),
            Some(_) => Err(DestinationError::Private),
            None if is_private_name(&name) => Err(DestinationError::Private),
            None => Ok(destination),
        }
    }

    /// The server that is called, by which calls are bounded: the host, with its port unless it is the one of `https`.
    #[must_use]
    pub fn server(&self) -> String {
        server(self.host.as_str(), self.port.map(u32::from))
    }
}

/// A server by its host, and its port unless it is the one of `https`.
pub(super) fn server(host: &str, port: Option<u32>) -> String {
    port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The URL as all that lead to the same place are written, and its host. What parses URLs has seen to letters of either case, to the
/// port that goes without saying, and to the steps of the path. `None` if it is no URL of a host.
fn normalised(url: &str) -> Option<(Url, String)> {
    let mut url = Url::parse(url).ok()?;
    url.set_fragment(None);
    let host = url.host_str()?;
    let name = host.trim_end_matches('.').to_owned();
    if name.len() < host.len() {
        url.set_host(Some(&name)).ok()?;
    }
    Some((url, name))
}

/// Whether a list of the deployment has this host.
#[must_use]
pub fn is_listed(host: &str, hosts: &[String]) -> bool {
    hosts.iter().any(|it| it.eq_ignore_ascii_case(host))
}

/// The address that a host of a URL is, if it is none that must be looked up.
fn address(host: &str) -> Option<IpAddr> {
    let literal = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    literal.unwrap_or(host).parse().ok()
}

/// Whether the name stands for the machine itself or for its network. A name without a dot is one of the network.
fn is_private_name(name: &str) -> bool {
    let is_below = |suffix: &&str| {
        let rest = name.strip_suffix(*suffix);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    !name.contains('.') || PRIVATE_SUFFIXES.iter().any(is_below)
}

/// Whether an address is one of the public internet, of a single host.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    );
    !is_special
}

/// Only the addresses that are given out so far are public, without those within that lead to addresses of version 4, or are
/// for examples.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let is_global = a & 0xe000 == 0x2000;
    let is_special = matches!(
        (a, b),
        (0x2001, 0..=0x1ff | 0xdb8) | (0x2002, _) | (0x3fff, 0..=0xfff)
    );
    is_global && !is_special
}

#[cfg(test)]
mod tests {
    use tidemark_events::Url;

    use super::*;

    /// What becomes of a URL as a client writes it.
    fn destination(url: &str) -> Option<Result<String, DestinationError>> {
        let url = Url::<2_000>::try_from(url.to_owned()).ok()?;
        let found = Destination::new(url.as_str(), Hosts::default());
        Some(found.map(|it| it.host.as_str().to_owned()))
    }

    #[test]
    fn servers_of_the_public_internet_may_be_called() {
        for (url, host) in [
            ("https://hooks.example/a?b=c", "hooks.example"),
            ("https://hooks.example.:8443/", "hooks.example"),
            ("https://1.1.1.1/", "1.1.1.1"),
            ("https://[2606:4700::1111]/", "[2606:4700::1111]"),
        ] {
            assert_eq!(destination(url), Some(Ok(host.to_owned())), "{url}");
        }
    }

    #[test]
    fn urls_that_lead_to_the_same_place_are_one() {
        let url = |url: &str| {
            let found = Destination::new(url, Hosts::default()).unwrap();
            (found.url.to_string(), found.server())
        };
        for same in [
            "https://hooks.example/",
            "https://hooks.example",
            "https://hooks.example./",
            "https://HOOKS.Example.:443/",
            "https://hooks.example/#fragment",
            "HTTPS://hooks.example/a/..#",
        ] {
            let expected = (
                "https://hooks.example/".to_owned(),
                "hooks.example".to_owned(),
            );
            assert_eq!(url(same), expected, "{same}");
        }
        let (_, server) = url("https://hooks.example.:8443/#a");
        assert_eq!(server, "hooks.example:8443");
    }

    #[test]
    fn ports_of_other_protocols_and_what_is_not_encrypted_are_refused() {
        let ports = [
            22, 25, 80, 5_432, 6_379, 9_092, 1_720, 5_060, 6_000, 6_667, 10_080,
        ];
        for port in ports {
            let refused = destination(&format!("https://hooks.example:{port}/"));
            assert_eq!(refused, Some(Err(DestinationError::Port)), "{port}");
        }
        let refused = destination("http://hooks.example/");
        assert_eq!(refused, Some(Err(DestinationError::NotEncrypted)));
    }

    #[test]
    fn addresses_that_are_not_public_are_refused_however_they_are_written() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "127\u{3002}0\u{3002}0\u{3002}1",
            "127.0.0.1.",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "198.18.0.1",
            "192.0.0.8",
            "192.88.99.1",
            "240.0.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:8.8.8.8]",
            "[fc00::1]",
            "[fd00::1]",
            "[fe80::1]",
            "[ff02::1]",
            "[64:ff9b::7f00:1]",
            "[64:ff9b:1::1]",
            "[2002:7f00:1::]",
            "[100::1]",
            "[2001:db8::1]",
            "[2001::1]",
            "[5f00::1]",
            "localhost",
            "localhost.",
            "LOCALHOST",
            "a.localhost",
            "db.internal",
            "printer.local",
            "intranet",
        ] {
            let refused = destination(&format!("https://{host}/"));
            let is_refused = matches!(refused, None | Some(Err(DestinationError::Private)));
            assert!(is_refused, "{host}: {refused:?}");
        }
    }

    #[test]
    fn a_deployment_may_allow_hosts_that_are_private() {
        let allowed = &["127.0.0.1".to_owned()];
        let hosts = Hosts { allowed, own: &[] };
        let found = Destination::new("http://127.0.0.1:8080/", hosts).unwrap();
        assert_eq!(found.host.as_str(), "127.0.0.1");
        assert!(Destination::new("http://127.0.0.2:8080/", hosts).is_err());
    }

    #[test]
    fn the_deployment_itself_is_refused_even_where_it_is_allowed() {
        let listed = &["api.example".to_owned()];
        for allowed in [&[][..], listed] {
            let own = Hosts {
                allowed,
                own: listed,
            };
            for host in ["api.example", "API.example.", "api.example:8443"] {
                let refused = Destination::new(&format!("https://{host}/v1/tasks"), own);
                assert_eq!(refused, Err(DestinationError::Own), "{host}");
            }
            assert!(Destination::new("https://hooks.example/", own).is_ok());
        }
    }

    #[test]
    fn the_hosts_at_which_a_deployment_is_reached_are_its_own() {
        let list = |hosts: &[&str]| hosts.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let urls = [
            "https://API.example.:8443/v1",
            "",
            "http://127.0.0.1:7001",
            "http://10.0.0.1/",
        ];
        let allowed = list(&["127.0.0.1"]);
        let own = own_hosts(&list(&["query.example"]), &allowed, urls);
        assert_eq!(
            own,
            list(&["query.example", "api.example", "127.0.0.1:7001", "10.0.0.1"])
        );
        let hosts = Hosts {
            allowed: &allowed,
            own: &own,
        };
        for url in ["https://api.example/", "http://127.0.0.1:7001/v1/tasks"] {
            let refused = Destination::new(url, hosts);
            assert_eq!(refused, Err(DestinationError::Own), "{url}");
        }
        // Other servers of the same machine may be called, as it is allowed.
        assert!(Destination::new("http://127.0.0.1:7010/", hosts).is_ok());
    }
}
