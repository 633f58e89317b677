//! How connections are encrypted, and whom they trust.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

/// The protocol that is spoken within, as servers are told it.
const HTTP_1_1: &[u8] = b"http/1.1";

/// Encrypts connections to servers whose certificates the system trusts.
///
/// # Errors
/// If the certificates of the system cannot be read.
pub(in crate::tasks) fn of_platform() -> Result<TlsConnector, rustls::Error> {
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth();
    Ok(connector(config))
}

/// Encrypts connections to servers that the configuration trusts.
pub(super) fn connector(mut config: ClientConfig) -> TlsConnector {
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    TlsConnector::from(Arc::new(config))
}

/// The name that the certificate of the server of a URL must have.
pub(super) fn name(url: &Url) -> io::Result<ServerName<'static>> {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = ServerName::try_from(name.to_owned());
            name.map_err(io::Error::other)
        }
        Some(Host::Ipv4(address)) => Ok(ServerName::IpAddress(address.into())),
        Some(Host::Ipv6(address)) => Ok(ServerName::IpAddress(address.into())),
        None => Err(io::ErrorKind::InvalidInput.into()),
    }
}
