//! Connections that are cut within a message, swallowed, slowed, or reset by the client.

pub(super) mod link;

use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::join_all;
use rand::RngExt;
use tidemark_platform::ids::new_id;
use tidemark_tests::proxy::{Direction, Fault as ProxyFault, Slowness};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::recovery::assert_no_forgotten_transaction;
use super::{Fault, Injection, Outcome};
use crate::stack::Stack;
use link::Link;

macro_rules! on_each_link {
    ($($name:literal $link:ident;)*) => {
        pub(super) const FAULTS: &[Fault] = &[
            $(
                Fault::new(
                    concat!("cut-", $name),
                    concat!("connections ", $name, " are cut 25 times within a message"),
                    1,
                    |i| cut(i, Link::$link).boxed(),
                ),
                Fault::new(
                    concat!("black-hole-", $name),
                    concat!("connections ", $name, " swallow everything for 30 s"),
                    1,
                    |i| black_hole(i, Link::$link).boxed(),
                ),
                Fault::new(
                    concat!("slow-", $name),
                    concat!("connections ", $name, " take 200 ± 100 ms, a byte at a time"),
                    1,
                    |i| slow(i, Link::$link).boxed(),
                ),
            )*
            Fault::new(
                "disconnect-clients",
                "500 clients reset their connections within 50 ms",
                20,
                |i| disconnect_clients(i).boxed(),
            ),
        ];
    };
}

on_each_link! {
    "command-api-to-postgres" CommandApiToPostgres;
    "relay-to-postgres" RelayToPostgres;
    "relay-to-kafka" RelayToKafka;
    "projector-to-postgres" ProjectorToPostgres;
    "projector-to-kafka" ProjectorToKafka;
    "projector-to-redis" ProjectorToRedis;
    "query-api-to-postgres" QueryApiToPostgres;
    "query-api-to-redis" QueryApiToRedis;
}

const CUTS: u32 = 25;
/// A connection is cut after at most this many bytes.
const CUT_BYTES_MAX: u64 = 64 * 1024;
/// A quiet connection, which does not carry enough bytes in this time, is cut where it is.
const CUT_TIMEOUT: Duration = Duration::from_secs(1);
const BLACK_HOLE: Duration = Duration::from_secs(30);
/// `http.handler_timeout_ms`, and 0.5 s for the answer to arrive.
const ANSWER_MAX: Duration = Duration::from_millis(10_500);
const SLOW: Duration = Duration::from_secs(15);
/// The longest round trip: 300 ms each way.
const ROUND_TRIP_MAX: Duration = Duration::from_millis(600);
const DISCONNECTS: usize = 500;
/// Clients that are connected at the same time.
const CONCURRENT: usize = 32;
/// How long a client waits at most before it resets its connection.
const STAY_MAX: Duration = Duration::from_millis(50);

async fn cut(mut injection: Injection, link: Link) -> Outcome {
    let proxy = link.start_proxy(&injection.stack).await;
    for _ in 0..CUTS {
        let direction = *injection.one_of(&[Direction::Up, Direction::Down]);
        let bytes = injection.rng.random_range(1..=CUT_BYTES_MAX);
        let (resets, started) = (proxy.counts().resets, Instant::now());
        proxy.heal();
        proxy.set(direction, ProxyFault::CutAfter(bytes));
        while proxy.counts().resets == resets {
            if started.elapsed() > CUT_TIMEOUT {
                proxy.cut();
                break;
            }
            sleep(Duration::from_millis(5)).await;
        }
    }
    proxy.heal();
    let recovered = injection.wait_for_service().await;
    assert_no_forgotten_transaction(&injection.stack).await;
    Outcome::Recovered(recovered)
}

async fn black_hole(injection: Injection, link: Link) -> Outcome {
    let proxy = link.start_proxy(&injection.stack).await;
    injection.load.wait_for_accepted_command().await;
    proxy.set_both(ProxyFault::BlackHole);
    let started = Instant::now();
    let mut slowest = Duration::ZERO;
    while started.elapsed() < BLACK_HOLE {
        slowest = slowest.max(slowest_answer(&injection.stack).await);
    }
    assert!(
        slowest <= ANSWER_MAX,
        "a request took {slowest:?} in the black hole, not {ANSWER_MAX:?}"
    );
    // Connections that lost something stay silent for ever: the processes must have given them up.
    proxy.heal();
    let recovered = injection.wait_for_service().await;
    assert_no_forgotten_transaction(&injection.stack).await;
    Outcome::Recovered(recovered)
}

async fn slow(injection: Injection, link: Link) -> Outcome {
    let proxy = link.start_proxy(&injection.stack).await;
    let shape = Slowness {
        latency: Duration::from_millis(200),
        jitter: Duration::from_millis(100),
        slice: Some(1),
        rate: None,
    };
    proxy.set_both(ProxyFault::Slow(shape));
    let before = injection.load.tally().accepted;
    sleep(SLOW).await;
    let accepted = u128::from(injection.load.tally().accepted - before);
    let least = SLOW.as_millis() / ROUND_TRIP_MAX.as_millis();
    assert!(
        accepted >= least,
        "{accepted} commands were accepted in {SLOW:?}, not {least} or more"
    );
    proxy.heal();
    Outcome::Recovered(injection.wait_for_service().await)
}

async fn disconnect_clients(mut injection: Injection) -> Outcome {
    let stack = injection.stack.clone();
    let processes: Vec<_> = stack.command_apis.iter().chain(&stack.query_apis).collect();
    let mut clients = Vec::new();
    for _ in 0..DISCONNECTS {
        let process = *injection.one_of(&processes);
        let is_command_api = stack.command_apis.iter().any(|api| api.url == process.url);
        let request = if is_command_api {
            registration(injection.rng.random())
        } else {
            LIST.to_owned()
        };
        let stay = injection.between(Duration::ZERO, STAY_MAX);
        let address = process.url.trim_start_matches("http://").to_owned();
        clients.push(disconnect(address, request, stay));
    }
    while !clients.is_empty() {
        let rest = clients.split_off(clients.len().min(CONCURRENT));
        join_all(std::mem::replace(&mut clients, rest)).await;
    }
    let recovered = injection.wait_for_service().await;
    assert_no_forgotten_transaction(&stack).await;
    Outcome::Recovered(recovered)
}

const LIST: &str = "GET /v1/categories HTTP/1.1\r\nhost: tidemark\r\n\r\n";

/// A command that needs no token.
fn registration(number: u64) -> String {
    let body = format!(
        r#"{{"email":"leaver-{number}@tidemark.example","password":"never waits for an answer","display_name":"Nobody"}}"#
    );
    let length = body.len();
    format!(
        "POST /v1/users HTTP/1.1\r\nhost: tidemark\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
}

/// Sends a request, waits for a while, and resets the connection.
async fn disconnect(address: String, request: String, stay: Duration) {
    let mut stream = TcpStream::connect(&address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    sleep(stay).await;
    stream.set_zero_linger().unwrap();
}

/// Sends a command or query to every API, and returns how long the slowest answer took.
async fn slowest_answer(stack: &Stack) -> Duration {
    let ask = |url: &str, is_command_api: bool| {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = if is_command_api {
            let body = serde_json::json!({
                "email": format!("asker-{}@tidemark.example", new_id()),
                "password": "waits for each answer",
                "display_name": "Nobody",
            });
            client.post(format!("{url}/v1/users")).json(&body)
        } else {
            client.get(format!("{url}/v1/categories"))
        };
        async move {
            let sent = Instant::now();
            let answer = request.send().await;
            assert!(answer.is_ok(), "a request was not answered: {answer:?}");
            sent.elapsed()
        }
    };
    let commands = stack.command_apis.iter().map(|api| ask(&api.url, true));
    let queries = stack.query_apis.iter().map(|api| ask(&api.url, false));
    let latencies = join_all(commands.chain(queries)).await;
    latencies.into_iter().max().unwrap_or_default()
}
