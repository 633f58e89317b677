//! Which addresses the client connects to, and how far calls come. What a name stands for is asked of a real resolver, in a network of
//! its own.

mod encrypted;
mod name_server;
mod phases;

use std::io::Write;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use axum::Router;
use axum::extract::State;
use tidemark_events::samples::{BIDDER, SELLER};
use tidemark_platform::Config;
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

/// The settings of a client that may call these private hosts.
fn settings(allowed: &[&str]) -> config::Tasks {
    config::Tasks {
        allowed_private_hosts: allowed.iter().map(|&it| it.to_owned()).collect(),
        ..Config::from_vars([]).unwrap().tasks
    }
}

fn client(settings: config::Tasks) -> HttpClient {
    HttpClient::new(settings, of_platform().unwrap())
}

/// What comes of a call of this owner within so long.
async fn call_of(
    client: &HttpClient,
    owner_id: UserId,
    url: &str,
    time_limit: Duration,
) -> Result<Answer, Failure> {
    let url = Url::parse(url).unwrap();
    let request = Request::builder().uri(url.path());
    let request = request.header("host", "hooks.example");
    let request = request.body(Full::default()).unwrap();
    client.call(&url, owner_id, request, time_limit).await
}

async fn call(client: &HttpClient, url: &str) -> Result<Answer, Failure> {
    call_of(client, SELLER, url, TIMEOUT).await
}

#[tokio::test]
async fn names_of_private_addresses_are_not_called_unless_they_are_allowed() {
    for (allowed, expected) in [
        (&[][..], Failure::Forbidden),
        // Nothing listens at the port of echo.
        (&["localhost"], Failure::Unreachable),
    ] {
        let client = client(settings(allowed));
        let failure = call(&client, "http://localhost:7/").await.unwrap_err();
        assert_eq!(failure, expected);
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
    let client = client(settings(&[]));
    let call = async |name: &str| call(&client, &format!("http://{name}:{PORT}/")).await;

    assert!(call("rebound.example").await.unwrap().status.is_success());
    assert_eq!(names.asked("rebound.example"), 1, "it is asked once");
    assert!(call("mixed.example").await.unwrap().status.is_success());
    let failure = call("rebound.example").await.unwrap_err();
    assert_eq!(failure, Failure::Forbidden);
    assert_eq!(names.asked("rebound.example"), 2);
    assert_eq!((public.load(Relaxed), private.load(Relaxed)), (2, 0));
}

/// A name server that does not answer is asked for ten seconds by the system, which nobody can end.
#[tokio::test]
async fn look_ups_that_hang_take_the_places_of_their_owner_and_nobody_elses() {
    if std::env::var_os(OWN_NETWORK).is_none() {
        in_own_network("look_ups_that_hang_take_the_places_of_their_owner_and_nobody_elses");
        return;
    }
    let names = NameServer::start(&[("well.example", &[&[PUBLIC]]), ("hangs.example", &[])]).await;
    let _public = server(PUBLIC).await;
    let short = Duration::from_millis(300);
    let client = client(config::Tasks {
        connect_timeout_ms: 300,
        lookups_max: 3,
        lookups_per_user_max: 2,
        ..settings(&[])
    });
    let url = |name: &str| format!("http://{name}:{PORT}/");
    let hangs = url("hangs.example");
    let failure = call(&client, &hangs).await.unwrap_err();
    assert_eq!(failure, Failure::NotConnected);
    let failure = call_of(&client, SELLER, &hangs, short / 2).await;
    assert_eq!(failure.unwrap_err(), Failure::CutOff);
    // Both are still under way, although nobody waits for them.
    assert_eq!(names.asked("hangs.example"), 2);
    for name in ["hangs.example", "well.example"] {
        let failure = call(&client, &url(name)).await.unwrap_err();
        assert_eq!(failure, Failure::NoPlace, "{name}");
    }
    assert_eq!(names.asked("hangs.example"), 2);
    let well = call_of(&client, BIDDER, &url("well.example"), TIMEOUT).await;
    assert!(well.unwrap().status.is_success());
    // Then all places are taken, and whoever waits gets none in time.
    let failure = call_of(&client, BIDDER, &hangs, TIMEOUT).await;
    assert_eq!(failure.unwrap_err(), Failure::NotConnected);
    let failure = call_of(&client, BIDDER, &url("well.example"), TIMEOUT).await;
    assert_eq!(failure.unwrap_err(), Failure::NoPlace);
    // An address needs none.
    let address = format!("http://{}:{PORT}/", std::net::Ipv4Addr::from(PUBLIC));
    assert!(call(&client, &address).await.unwrap().status.is_success());
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
