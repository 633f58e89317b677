//! Which addresses the client connects to. What a name stands for is asked of a real resolver, in a network of its own.

mod name_server;

use std::io::Write;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use axum::Router;
use axum::extract::State;
use tokio::net::TcpListener;

use super::*;
use name_server::NameServer;

/// Set in the process that runs a test in a network of its own.
const OWN_NETWORK: &str = "TIDEMARK_TEST_OWN_NETWORK";
/// An address of the public internet, which that network has instead.
const PUBLIC: [u8; 4] = [8, 8, 4, 4];
const PRIVATE: [u8; 4] = [127, 0, 0, 1];
const PORT: u16 = 8_080;
const TIMEOUT: Duration = Duration::from_secs(5);

#[tokio::test]
async fn names_of_private_addresses_are_not_called_unless_they_are_allowed() {
    for (allowed, is_refused) in [(vec![], true), (vec!["localhost".to_owned()], false)] {
        let client = client(&allowed, TIMEOUT, TIMEOUT).unwrap();
        // Nothing listens at the port of echo.
        let error = client.get("http://localhost:7/").send().await.unwrap_err();
        assert_eq!(is_forbidden(&error), is_refused, "{error:?}");
    }
}

#[tokio::test]
async fn a_name_that_stands_for_a_private_address_later_or_besides_leads_to_public_ones_only() {
    if std::env::var_os(OWN_NETWORK).is_none() {
        in_own_network(
            "a_name_that_stands_for_a_private_address_later_or_besides_leads_to_public_ones_only",
        );
        return;
    }
    let names = NameServer::start(&[
        ("rebound.example", &[&[PUBLIC], &[PRIVATE]]),
        ("mixed.example", &[&[PRIVATE, PUBLIC]]),
    ])
    .await;
    let (public, private) = (server(PUBLIC).await, server(PRIVATE).await);
    let client = client(&[], TIMEOUT, TIMEOUT).unwrap();
    let call = async |name: &str| {
        let sending = client.get(format!("http://{name}:{PORT}/")).send();
        sending.await
    };

    assert!(call("rebound.example").await.unwrap().status().is_success());
    assert_eq!(names.asked("rebound.example"), 1, "it is asked once");
    assert!(call("mixed.example").await.unwrap().status().is_success());
    let error = call("rebound.example").await.unwrap_err();
    assert!(is_forbidden(&error), "{error:?}");
    assert_eq!(names.asked("rebound.example"), 2);
    assert_eq!((public.load(Relaxed), private.load(Relaxed)), (2, 0));
}

/// Runs a test of this file again, in a network in which this machine has a public address and is its own resolver.
fn in_own_network(name: &str) {
    let mut resolver = tempfile::NamedTempFile::new().unwrap();
    resolver.write_all(b"nameserver 127.0.0.1\n").unwrap();
    let [a, b, c, d] = PUBLIC;
    let script = format!(
        "ip link set lo up
         ip address add {a}.{b}.{c}.{d}/32 dev lo
         mount --bind {resolver} /etc/resolv.conf
         exec {this} --exact tasks::http_client::tests::{name}",
        resolver = resolver.path().display(),
        this = std::env::current_exe().unwrap().display()
    );
    let output = Command::new("unshare")
        .args(["--map-root-user", "--net", "--mount", "sh", "-ec", &script])
        .env(OWN_NETWORK, "true")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "needs user namespaces and iproute2: {text}{errors}"
    );
}

/// A server at an address, and the number of calls that it has got.
async fn server(address: [u8; 4]) -> Arc<AtomicUsize> {
    let calls = Arc::<AtomicUsize>::default();
    let count = async |State(calls): State<Arc<AtomicUsize>>| {
        calls.fetch_add(1, Relaxed);
    };
    let router = Router::new().fallback(count).with_state(Arc::clone(&calls));
    let listener = TcpListener::bind(SocketAddr::from((address, PORT))).await;
    tokio::spawn(async { axum::serve(listener.unwrap(), router).await });
    calls
}
