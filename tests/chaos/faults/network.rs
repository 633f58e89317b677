//! Connections that are cut within a message, swallowed, slowed, and left by the client.

pub(super) mod link;

use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::join_all;
use rand::RngExt;
use tidemark_platform::ids::new_id;
use tidemark_tests::proxy::{Direction, Fault as Trouble, Shape};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::{Episode, Fault, Outcome};
use crate::stack::Stack;
use link::Link;

macro_rules! on_each_link {
    ($($suffix:literal $link:ident;)*) => {
        /// The faults of this kind.
        pub(crate) const FAULTS: &[Fault] = &[
            $(
                Fault::new(
                    concat!("f14-", $suffix),
                    "25 connections cut within a message",
                    1,
                    |episode| cut(episode, Link::$link).boxed(),
                ),
                Fault::new(
                    concat!("f15-", $suffix),
                    "30 s of a black hole",
                    1,
                    |episode| black_hole(episode, Link::$link).boxed(),
                ),
                Fault::new(
                    concat!("f16-", $suffix),
                    "latency of 200 ± 100 ms, slices of 1 byte",
                    1,
                    |episode| slow(episode, Link::$link).boxed(),
                ),
            )*
            Fault::new("f17", "500 clients that reset their connections", 20, |episode| {
                leave(episode).boxed()
            }),
        ];
    };
}

on_each_link! {
    "api-postgres" ApiPostgres;
    "relay-postgres" RelayPostgres;
    "relay-kafka" RelayKafka;
    "projector-postgres" ProjectorPostgres;
    "projector-kafka" ProjectorKafka;
    "projector-redis" ProjectorRedis;
    "query-postgres" QueryPostgres;
    "query-redis" QueryRedis;
}

const CUTS: u32 = 25;
/// A message is cut somewhere in so many bytes.
const CUT_MAX: u64 = 64 * 1024;
/// A quiet connection may not carry as much in time: then it is cut where it is.
const CUT_PATIENCE: Duration = Duration::from_secs(1);
const HOLE: Duration = Duration::from_secs(30);
/// `http.handler_timeout_ms`, and what an answer takes to arrive.
const DEADLINE: Duration = Duration::from_millis(10_500);
const SLOW: Duration = Duration::from_secs(15);
/// There and back at its slowest.
const SLOWEST: Duration = Duration::from_millis(600);
const LEAVERS: usize = 500;
const AT_ONCE: usize = 32;
/// How long a client that leaves has waited at most.
const STAY: Duration = Duration::from_millis(50);
/// A transaction may be idle no longer, if nobody has forgotten it.
const IDLE: &str = "1 second";
/// Longer than that: whoever is forgotten shows in this time.
const WATCH: Duration = Duration::from_millis(2_500);

async fn cut(mut episode: Episode, link: Link) -> Outcome {
    let proxy = link.detour(&episode.stack).await;
    for _ in 0..CUTS {
        let direction = *episode.one_of(&[Direction::Up, Direction::Down]);
        let bytes = episode.rng.random_range(1..=CUT_MAX);
        let (cuts, began) = (proxy.counts().resets, Instant::now());
        proxy.heal();
        proxy.set(direction, Trouble::CutAfter(bytes));
        while proxy.counts().resets == cuts {
            if began.elapsed() > CUT_PATIENCE {
                proxy.cut();
                break;
            }
            sleep(Duration::from_millis(5)).await;
        }
    }
    proxy.heal();
    let recovered = back(&episode).await;
    nobody_is_forgotten(&episode.stack).await;
    Outcome::Recovered(recovered)
}

async fn black_hole(episode: Episode, link: Link) -> Outcome {
    let proxy = link.detour(&episode.stack).await;
    episode.load.accepts().await;
    proxy.set_both(Trouble::BlackHole);
    let began = Instant::now();
    let mut slowest = Duration::ZERO;
    while began.elapsed() < HOLE {
        slowest = slowest.max(slowest_answer(&episode.stack).await);
    }
    assert!(
        slowest <= DEADLINE,
        "{link:?} in a black hole: a request took {slowest:?}"
    );
    // Connections that were used meanwhile stay silent for ever: whoever waits must have given up.
    proxy.heal();
    let recovered = back(&episode).await;
    nobody_is_forgotten(&episode.stack).await;
    Outcome::Recovered(recovered)
}

async fn slow(episode: Episode, link: Link) -> Outcome {
    let proxy = link.detour(&episode.stack).await;
    let shape = Shape {
        latency: Duration::from_millis(200),
        jitter: Duration::from_millis(100),
        slice: Some(1),
        rate: None,
    };
    proxy.set_both(Trouble::Slow(shape));
    let before = episode.load.tally().accepted;
    sleep(SLOW).await;
    let accepted = u128::from(episode.load.tally().accepted - before);
    let least = SLOW.as_millis() / SLOWEST.as_millis();
    assert!(
        accepted >= least,
        "{link:?} with latency: {accepted} commands in {SLOW:?}, not {least}"
    );
    proxy.heal();
    Outcome::Recovered(back(&episode).await)
}

async fn leave(mut episode: Episode) -> Outcome {
    let stack = episode.stack.clone();
    let urls: Vec<_> = stack.apis.iter().chain(&stack.queries).collect();
    let mut leavers = Vec::new();
    for _ in 0..LEAVERS {
        let process = *episode.one_of(&urls);
        let is_api = stack.apis.iter().any(|api| api.url == process.url);
        let request = if is_api {
            registration(episode.rng.random())
        } else {
            LIST.to_owned()
        };
        let stay = episode.between(Duration::ZERO, STAY);
        let address = process.url.trim_start_matches("http://").to_owned();
        leavers.push(leaver(address, request, stay));
    }
    while !leavers.is_empty() {
        let rest = leavers.split_off(leavers.len().min(AT_ONCE));
        join_all(std::mem::replace(&mut leavers, rest)).await;
    }
    let recovered = back(&episode).await;
    nobody_is_forgotten(&stack).await;
    Outcome::Recovered(recovered)
}

const LIST: &str = "GET /v1/categories HTTP/1.1\r\nhost: tidemark\r\n\r\n";

/// A command that nobody needs a token for.
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
async fn leaver(address: String, request: String, stay: Duration) {
    let mut stream = TcpStream::connect(&address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    sleep(stay).await;
    stream.set_zero_linger().unwrap();
}

/// Sends a command and a query to every process, and returns what the slowest answer took.
async fn slowest_answer(stack: &Stack) -> Duration {
    let ask = |url: &str, is_api: bool| {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = if is_api {
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
            let asked = Instant::now();
            let answer = request.send().await;
            assert!(answer.is_ok(), "no answer: {answer:?}");
            asked.elapsed()
        }
    };
    let apis = stack.apis.iter().map(|api| ask(&api.url, true));
    let queries = stack.queries.iter().map(|query| ask(&query.url, false));
    let took = join_all(apis.chain(queries)).await;
    took.into_iter().max().unwrap_or_default()
}

/// Waits until commands are accepted and queries answered again, as new as what was written.
pub(super) async fn back(episode: &Episode) -> Duration {
    let (accepts, answers) = (episode.load.accepts(), episode.load.answers());
    let (accepts, answers) = futures::join!(accepts, answers);
    accepts.max(answers)
}

/// No connection is left in a transaction that nobody will end.
pub(super) async fn nobody_is_forgotten(stack: &Stack) {
    let began = Instant::now();
    while began.elapsed() < WATCH {
        let forgotten: Vec<String> = sqlx::query_scalar(
            "
            select format('%s since %s: %s', usename, state_change, query)
              from pg_stat_activity
             where state like 'idle in transaction%'
               and state_change < clock_timestamp() - $1::interval
            ",
        )
        .bind(IDLE)
        .fetch_all(&stack.pool)
        .await
        .unwrap();
        assert!(forgotten.is_empty(), "idle in a transaction: {forgotten:?}");
        sleep(Duration::from_millis(100)).await;
    }
}
