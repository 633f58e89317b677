//! Very many clients who begin to follow auctions at the same moment, as after a deployment, wait for their turn: none is
//! refused, and who asks for something else meanwhile is answered.

use std::time::{Duration, Instant};

use tidemark_tests::many_rows::{auction, fill};
use tidemark_tests::proxy::{Direction, Fault, Slowness};
use tidemark_tests::{App, Process, Proxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

/// Clients who come at once: more than the files that a process may have open before it raises that limit.
const CLIENTS: i64 = 2_000;
/// The time within which they come, so many together.
const STORM: Duration = Duration::from_millis(300);
const TOGETHER: i64 = 100;
/// The most that each may take until it is sent its first state, and the answer to another client meanwhile, which is
/// `http.handler_timeout_ms`. On two idle cores and without optimizations all take less than a second, but others may take most
/// of the cores.
const LONGEST: Duration = Duration::from_secs(10);
/// Others ask for so long: until the documents that are followed have been read again.
const ASKED: Duration = Duration::from_secs(8);
/// What a statement takes at least, so that to read one document after the other would take too long.
const LATENCY: Duration = Duration::from_millis(20);

/// A client with an address of its own, which begins to follow an auction.
#[derive(Debug)]
struct Follower {
    stream: TcpStream,
    answer: String,
}

impl Follower {
    /// Connects, and reads until it has been sent a state, or that there is none for it.
    async fn come(address: String, number: i64) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let (from, rest) = (number / 250, number % 250);
        // Every other one follows the same auction. The others have seen a state before, and follow one each.
        let (id, seen) = match number % 2 {
            0 => (auction(1), ""),
            _ => (auction(number + 1), "last-event-id: 1.1\r\n"),
        };
        let request = format!(
            "GET /v1/auctions/{id}/live HTTP/1.1\r\nhost: a\r\naccept: text/event-stream\r\n\
             x-forwarded-for: 10.0.{from}.{rest}\r\n{seen}\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = String::new();
        let mut follower = Self { stream, answer };
        let mut chunk = [0; 4_096];
        while !follower.answer.contains("event: ") {
            let length = follower.stream.read(&mut chunk).await.unwrap();
            assert!(length > 0, "{follower:?}");
            let read = std::str::from_utf8(&chunk[..length]).unwrap();
            follower.answer.push_str(read);
        }
        follower
    }
}

/// Asks for one document after the other, and returns what the slowest answer took.
async fn slowest_answer(query_url: String) -> Duration {
    let client = reqwest::Client::new();
    let (began, mut slowest) = (Instant::now(), Duration::ZERO);
    for number in (1..CLIENTS).step_by(7).cycle() {
        let asked = Instant::now();
        if asked.duration_since(began) > ASKED {
            break;
        }
        let url = format!("{query_url}/v1/auctions/{}", auction(number));
        let request = client.get(url).header("x-forwarded-for", "192.0.2.1");
        assert_eq!(request.send().await.unwrap().status(), 200);
        slowest = slowest.max(asked.elapsed());
        sleep(LATENCY).await;
    }
    slowest
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_clients_who_come_at_once_are_all_sent_their_first_state() {
    let mut app = App::builder()
        .set("TIDEMARK_HTTP__PROXIES", 1)
        .start()
        .await;
    fill(&app, Uuid::nil(), CLIENTS).await;
    let postgres = Proxy::before_postgres(&mut app.settings, "READ").await;
    let api = app.spawn_query_api().await;
    let slowness = Slowness {
        latency: LATENCY,
        ..Slowness::default()
    };
    postgres.set(Direction::Up, Fault::Slow(slowness));
    let address = api.url.strip_prefix("http://").unwrap();
    let asking = tokio::spawn(slowest_answer(api.url.clone()));

    let mut storm = JoinSet::new();
    for number in 0..CLIENTS {
        let first_state = timeout(LONGEST, Follower::come(address.to_owned(), number));
        storm.spawn(first_state);
        if number % TOGETHER == 0 {
            sleep(STORM / u32::try_from(CLIENTS / TOGETHER).unwrap()).await;
        }
    }
    let followers = storm.join_all().await;
    for follower in &followers {
        let follower = follower.as_ref().unwrap();
        assert!(follower.answer.starts_with("HTTP/1.1 200"), "{follower:?}");
        assert!(follower.answer.contains("event: state"), "{follower:?}");
    }
    let slowest = asking.await.unwrap();
    assert!(slowest < LONGEST, "an answer took {slowest:?}");
}

/// Over HTTP/1.1 each live update takes a connection, so fewer connections than live updates break a promise, of all
/// addresses together and of one.
#[tokio::test]
async fn a_query_api_warns_if_live_updates_can_take_all_connections() {
    let app = App::start().await;
    let warned = async |set: &[(&str, &str)]| {
        let mut settings = app.settings.as_service("query-api");
        settings.set("TIDEMARK_TELEMETRY__LOG", "info");
        settings.set("TIDEMARK_TELEMETRY__LOG_FORMAT", "json");
        for (name, value) in set {
            settings.set(name, *value);
        }
        let process = Process::printing("tidemark-query-api", &[], &settings).await;
        let warning = |names: [&str; 2]| {
            let printed = process.printed();
            let mut lines = printed.lines();
            lines.any(|line| line.contains("WARN") && names.iter().all(|it| line.contains(it)))
        };
        let of_all = ["http.connections_max", "query.sse_clients_max"];
        let of_one = [
            "http.connections_per_address_max",
            "query.sse_clients_per_address_max",
        ];
        (warning(of_all), warning(of_one))
    };
    let of_all = "TIDEMARK_HTTP__CONNECTIONS_MAX";
    let of_one = "TIDEMARK_HTTP__CONNECTIONS_PER_ADDRESS_MAX";
    for (set, expected) in [
        // The defaults leave room.
        (&[][..], (false, false)),
        (&[(of_all, "10001"), (of_one, "1001")], (false, false)),
        (&[(of_all, "10000")], (true, false)),
        (&[(of_one, "1000")], (false, true)),
        // The connections are those of proxies.
        (
            &[(of_one, "1000"), ("TIDEMARK_HTTP__PROXIES", "1")],
            (false, false),
        ),
    ] {
        assert_eq!(warned(set).await, expected, "{set:?}");
    }
}
