//! Calls of servers that are encrypted.

use std::path::Path;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::phases::local;
use super::*;

/// Makes a certificate for `localhost` that has signed itself.
fn certificate() -> TempDir {
    let folder = TempDir::new().unwrap();
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
        ])
        .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", "key.pem", "-out", "certificate.pem"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "needs openssl: {made:?}");
    folder
}

/// A server with this certificate that says this to whoever has sent a request, and the first protocol that each client has offered.
async fn server(folder: &Path, says: &'static [u8]) -> SocketAddr {
    let chain = CertificateDer::from_pem_file(folder.join("certificate.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_no_client_auth()
    .with_single_cert(vec![chain], key)
    .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            if stream.read(&mut [0; 1_024]).await.is_ok() {
                stream.write_all(says).await.ok();
            }
        }
    });
    address
}

/// A client that trusts this certificate alone.
fn trusting(folder: &Path) -> HttpClient {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_file(folder.join("certificate.pem")).unwrap();
    roots.add(root).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_root_certificates(roots)
    .with_no_client_auth();
    HttpClient::new(local(), tls::connector(config))
}

#[tokio::test]
async fn servers_are_called_whose_certificate_is_trusted_and_has_their_name() {
    let folder = certificate();
    let says = b"HTTP/1.1 204 No Content\r\nretry-after: 7\r\n\r\n";
    let port = server(folder.path(), says).await.port();
    let trusting = trusting(folder.path());
    let answer = call(&trusting, &format!("https://localhost:{port}/")).await;
    let answer = answer.unwrap();
    assert_eq!(answer.status, 204);
    assert_eq!(answer.retry_after.unwrap(), "7");
    let of_another = call(&trusting, &format!("https://127.0.0.1:{port}/")).await;
    assert_eq!(of_another.unwrap_err(), Failure::BrokenOff);
    let untrusted = call(&client(local()), &format!("https://localhost:{port}/")).await;
    assert_eq!(untrusted.unwrap_err(), Failure::BrokenOff);
}

#[tokio::test]
async fn what_is_read_through_encryption_is_bounded_as_well() {
    let folder = certificate();
    let heads = b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(100_000).leak();
    let body = [
        b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n",
        &*b"a".repeat(1_000_000),
    ];
    let body = body.concat().leak();
    let trusting = trusting(folder.path());
    let call = async |says: &'static [u8]| {
        let port = server(folder.path(), says).await.port();
        call(&trusting, &format!("https://localhost:{port}/")).await
    };
    assert_eq!(call(heads).await.unwrap_err(), Failure::BrokenOff);
    assert_eq!(call(body).await.unwrap().status, 200);
}
