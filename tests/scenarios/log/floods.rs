//! One user who sends as much as can be sent, with the settings of production: no other is refused, and none waits long.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::thread;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tidemark_tests::market::Market;
use tidemark_tests::{App, Client, eventually};

use super::fairness::{are_waiting, command_api, draft, hold_appends, in_production};

/// How many connections the one user has, and so how many commands at once.
const CONNECTIONS: usize = 512;
/// From how many addresses: from each come fewer requests than one address may have in flight.
const ADDRESSES: u8 = 8;
/// How many long drafts the one user sends at once.
const LONG_DRAFTS: usize = 400;
/// The least bytes of a long draft.
const LONG_BYTES: usize = 58_000;
/// How many commands the other user sends, one after another, before the flood and during it.
const COMMANDS: usize = 12;
/// What a command may take during the flood, if that is more than [`DELAY_MAX`] times what it takes before. In a debug
/// build on two cores, the flood alone keeps them busy.
const LATENCY_MAX: Duration = Duration::from_secs(4);
const DELAY_MAX: u32 = 20;

/// Drafts of products that one user sends without a pause, on threads of their own.
struct Flood {
    is_over: AtomicBool,
    accepted: AtomicUsize,
    refused: AtomicUsize,
}

impl Flood {
    fn start(client: &Client, body: &Value) -> (Arc<Self>, JoinHandle<()>) {
        let flood = Arc::new(Self {
            is_over: AtomicBool::new(false),
            accepted: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
        });
        let (client, body) = (client.clone(), body.to_string());
        let shared = Arc::clone(&flood);
        let thread = thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build().unwrap();
            runtime.block_on(async {
                let clients: Vec<_> = (2..2 + ADDRESSES)
                    .map(|host| client.from_address(Ipv4Addr::new(127, 0, 0, host).into()))
                    .collect();
                let all = clients.iter().cycle().take(CONNECTIONS);
                join_all(all.map(|client| shared.send(client, &body))).await;
            });
        });
        (flood, thread)
    }

    async fn send(&self, client: &Client, body: &str) {
        while !self.is_over.load(Relaxed) {
            let request = client.command(Method::POST, "/v1/products");
            let request = request.header("content-type", "application/json");
            let answer = request.body(body.to_owned()).send().await.unwrap();
            let count = match answer.status().as_u16() {
                201 => &self.accepted,
                429 => &self.refused,
                other => panic!("a command was answered {other}"),
            };
            count.fetch_add(1, Relaxed);
            answer.bytes().await.unwrap();
        }
    }

    /// Ends it, and fails unless some of its commands were accepted and others refused.
    fn end(&self, thread: JoinHandle<()>) {
        self.is_over.store(true, Relaxed);
        thread.join().unwrap();
        assert!(self.accepted.load(Relaxed) > 0);
        assert!(self.refused.load(Relaxed) > 0, "the flood met no bound");
    }
}

/// What a command of a user takes at most, but for the slowest of them.
async fn latency(client: &Client, market: &Market<'_>) -> Duration {
    let body = draft(market, "");
    let mut all = Vec::with_capacity(COMMANDS);
    for _ in 0..COMMANDS {
        let sent = Instant::now();
        client.post("/v1/products", &body).await.ok();
        all.push(sent.elapsed());
    }
    all.sort_unstable();
    all[COMMANDS - 2]
}

#[tokio::test]
async fn commands_on_many_connections_delay_those_of_another_user_little() {
    let app = App::start().await;
    let market = app.market().await;
    let process = in_production(&app).await;
    let many = market.seller.via_command_api(&process.url);
    let other = app.seller().await.via_command_api(&process.url);
    let usual = latency(&other, &market).await;
    let body = draft(&market, "");
    let (flood, thread) = Flood::start(&many, &body);
    eventually("the flood to meet its bound", async || {
        other.post("/v1/products", &body).await.ok();
        (flood.refused.load(Relaxed) > 0).then_some(())
    })
    .await;
    let delayed = latency(&other, &market).await;
    flood.end(thread);
    let latency_max = LATENCY_MAX.max(DELAY_MAX * usual);
    assert!(delayed < latency_max, "{delayed:?}, and {usual:?} before");
}

/// Has one user send `commands` at once while nothing is appended, and then another user one. Returns how many events
/// of the one are before that of the other.
async fn events_before_another(
    commands: usize,
    settings: &[(&str, i64)],
    change: impl Fn(&mut Value),
) -> i64 {
    let app = App::start().await;
    let market = app.market().await;
    let process = command_api(&app, settings).await;
    let share = app.settings.config().executor.queue_per_principal_max;
    let many = market.seller.via_command_api(&process.url);
    let other = app.seller().await.via_command_api(&process.url);
    let mut body = draft(&market, "");
    // The states that the drafts rest on are in memory afterwards.
    for seller in [&many, &other] {
        seller.post("/v1/products", &body).await.ok();
    }
    change(&mut body);
    let (before, held) = (app.database.head().await, hold_appends(&app).await);
    let refused = AtomicUsize::new(0);
    let sent = join_all((0..commands).map(async |_| {
        let answer = many.post("/v1/products", &body).await;
        if !answer.is_ok() {
            answer.problem(429, "too_many_requests");
            refused.fetch_add(1, Relaxed);
        }
    }));
    let another = async {
        eventually("all over the share to be refused", async || {
            (refused.load(Relaxed) == commands - share).then_some(())
        })
        .await;
        are_waiting(&process, share).await;
        let short = draft(&market, "");
        let (answer, ()) = tokio::join!(other.post("/v1/products", &short), async {
            are_waiting(&process, share + 1).await;
            held.rollback().await.unwrap();
        });
        answer.ok().position() - before - 1
    };
    let (_, place) = tokio::join!(sent, another);
    place
}

#[tokio::test]
async fn commands_that_all_come_at_once_leave_another_user_a_place_near_the_front() {
    // What one user may have waiting would fit into one batch otherwise.
    let batches = [("EXECUTOR__BATCH_MAX", 16)];
    let place = events_before_another(CONNECTIONS, &batches, |_| {}).await;
    // One batch of the one user is being appended, and one was decided.
    assert!(place <= 2 * 16 + 1, "{place} events were before");
}

#[tokio::test]
async fn long_drafts_that_all_come_at_once_leave_another_user_a_place_near_the_front() {
    let place = events_before_another(LONG_DRAFTS, &[], |body| {
        let long = |chars| "\u{20ac}".repeat(chars);
        body["description"] = long(10_000).into();
        let specifications = (0..50).map(|number| (number.to_string(), long(190)));
        body["specifications"] = json!(specifications.collect::<BTreeMap<_, _>>());
        assert!(body.to_string().len() > LONG_BYTES);
    })
    .await;
    // One batch of the one user is being appended, and one was decided.
    let in_a_batch = 1_048_576 / LONG_BYTES + 1;
    let before_max = i64::try_from(2 * in_a_batch + 1).unwrap();
    assert!(place <= before_max, "{place} events were before");
}
