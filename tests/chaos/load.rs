//! The load: clients that send commands and read their own writes, and what they saw.

mod actions;
mod bidder;
mod client;
mod market;
mod trade;

use std::ops::Sub;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::journal::{Journal, Line};
use crate::stack::Stack;

use bidder::Bidder;
use client::Client;
use market::Market;

/// Clients at work.
pub(crate) const CLIENTS: usize = 16;
/// Each sends a command about so often: 400 a second in all, as long as they are answered in time.
const PACE: Duration = Duration::from_millis(40);
/// Longer than any outage of a fault, and the recovery from it.
const BACK: Duration = Duration::from_secs(90);

/// Clients at work, until they are told to stop.
pub(crate) struct Load {
    shared: Arc<Shared>,
    tasks: Mutex<JoinSet<()>>,
}

/// What the clients share.
struct Shared {
    journal: Journal,
    began: Instant,
    market: Market,
    command_urls: Vec<String>,
    query_urls: Vec<String>,
    tally: Counters,
    /// When the latest attempt was sent that was answered well.
    accepted: watch::Sender<Instant>,
    answered: watch::Sender<Instant>,
    /// How long queries took that were answered well, since somebody looked.
    latencies: Mutex<Vec<Duration>>,
    stop: CancellationToken,
}

/// What the clients saw so far. The difference of two tallies is what they saw in between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Commands that were accepted (2xx).
    pub(crate) accepted: u64,
    /// Commands that were refused for good (4xx).
    pub(crate) refused: u64,
    /// Attempts that were answered 503.
    pub(crate) unavailable: u64,
    /// Attempts whose outcome nobody knows: no answer came.
    pub(crate) unknown: u64,
    /// Attempts after the second one of a command.
    pub(crate) insisted: u64,
    /// Attempts that were answered 5xx other than 503: never right.
    pub(crate) errors: u64,
    /// Reads that were answered (2xx).
    pub(crate) reads: u64,
    /// Reads that failed or were answered 503.
    pub(crate) failed_reads: u64,
}

#[derive(Debug, Default)]
struct Counters {
    accepted: AtomicU64,
    refused: AtomicU64,
    unavailable: AtomicU64,
    unknown: AtomicU64,
    insisted: AtomicU64,
    errors: AtomicU64,
    reads: AtomicU64,
    failed_reads: AtomicU64,
}

impl Load {
    /// Makes a market, and sets the clients to work on it. They act by `seed`.
    pub(crate) async fn start(stack: &Stack, seed: u64, journal: &Path) -> Self {
        let urls = |processes: &[crate::stack::Process]| -> Vec<String> {
            processes
                .iter()
                .map(|process| process.url.clone())
                .collect()
        };
        let (command_urls, query_urls) = (urls(&stack.apis), urls(&stack.queries));
        let (market, people) = market::open(&command_urls[0], &stack.settings).await;
        let began = Instant::now();
        let shared = Arc::new(Shared {
            journal: Journal::create(journal),
            began,
            market,
            command_urls,
            query_urls,
            tally: Counters::default(),
            accepted: watch::Sender::new(began),
            answered: watch::Sender::new(began),
            latencies: Mutex::default(),
            stop: CancellationToken::new(),
        });
        let load = Self {
            shared,
            tasks: Mutex::new(JoinSet::new()),
        };
        for (number, people) in people.into_iter().enumerate() {
            let rng = StdRng::seed_from_u64(seed.wrapping_add(number.try_into().unwrap()));
            let client = Client::new(load.shared.clone(), number, people, rng);
            load.spawn(client.work());
        }
        load
    }

    /// What the clients saw so far.
    pub(crate) fn tally(&self) -> Tally {
        self.shared.tally.read()
    }

    /// Waits until a command that was sent after this call has been accepted; returns how long that
    /// took.
    pub(crate) async fn accepts(&self) -> Duration {
        later(&self.shared.accepted, "command").await
    }

    /// Waits until a query that was sent after this call has been answered, as new as it asked for.
    pub(crate) async fn answers(&self) -> Duration {
        later(&self.shared.answered, "query").await
    }

    /// How long queries take that are sent in the time to come: 99 of 100 no longer than this.
    pub(crate) async fn p99_of_queries(&self, time: Duration) -> Duration {
        self.shared.latencies.lock().unwrap().clear();
        sleep(time).await;
        let mut latencies = std::mem::take(&mut *self.shared.latencies.lock().unwrap());
        p99(&mut latencies).expect("queries are answered")
    }

    /// Waits until this many more commands were accepted.
    pub(crate) async fn accepted(&self, count: u64) {
        let goal = self.tally().accepted + count;
        let mut accepted = self.shared.accepted.subscribe();
        while self.tally().accepted < goal {
            let more = timeout(BACK, accepted.changed()).await;
            more.expect("no command was accepted for long").unwrap();
        }
    }

    /// A crowd of bidders besides the clients.
    pub(crate) fn crowd(&self, count: usize) -> Vec<Bidder> {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let bidder = |number| Bidder {
            shared: self.shared.clone(),
            number,
            http: http.clone(),
        };
        (0..count).map(bidder).collect()
    }

    /// Notes the time at which a fault begins.
    pub(crate) fn fault_begins(&self, fault: &str) {
        let (at_ms, fault) = (self.shared.now_ms(), fault.to_owned());
        self.shared.journal.note(Line::FaultBegins { at_ms, fault });
    }

    /// Notes the time at which it is over.
    pub(crate) fn fault_ends(&self, fault: &str) {
        let (at_ms, fault) = (self.shared.now_ms(), fault.to_owned());
        self.shared.journal.note(Line::FaultEnds { at_ms, fault });
    }

    /// Lets every client finish what it has begun, and gives what they wrote down.
    pub(crate) async fn finish(self) -> Vec<Line> {
        self.shared.stop.cancel();
        let mut tasks = self.tasks.into_inner().unwrap();
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap();
        }
        let shared = Arc::into_inner(self.shared).expect("nobody else is at work");
        shared.journal.finish()
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.lock().unwrap().spawn(work);
    }
}

/// 99 of 100 are no longer than this; nothing, if there are none.
pub(crate) fn p99(latencies: &mut [Duration]) -> Option<Duration> {
    latencies.sort_unstable();
    latencies.get(latencies.len() * 99 / 100).copied()
}

async fn later(latest: &watch::Sender<Instant>, what: &str) -> Duration {
    let asked = Instant::now();
    let mut latest = latest.subscribe();
    let is_later = latest.wait_for(|latest| *latest > asked);
    let later = timeout(BACK, is_later).await;
    assert!(later.is_ok(), "no {what} was answered well for {BACK:?}");
    asked.elapsed()
}

impl Shared {
    fn now_ms(&self) -> u64 {
        self.began.elapsed().as_millis().try_into().unwrap()
    }
}

impl Counters {
    fn read(&self) -> Tally {
        Tally {
            accepted: self.accepted.load(Relaxed),
            refused: self.refused.load(Relaxed),
            unavailable: self.unavailable.load(Relaxed),
            unknown: self.unknown.load(Relaxed),
            insisted: self.insisted.load(Relaxed),
            errors: self.errors.load(Relaxed),
            reads: self.reads.load(Relaxed),
            failed_reads: self.failed_reads.load(Relaxed),
        }
    }
}

impl Sub for Tally {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            accepted: self.accepted - earlier.accepted,
            refused: self.refused - earlier.refused,
            unavailable: self.unavailable - earlier.unavailable,
            unknown: self.unknown - earlier.unknown,
            insisted: self.insisted - earlier.insisted,
            errors: self.errors - earlier.errors,
            reads: self.reads - earlier.reads,
            failed_reads: self.failed_reads - earlier.failed_reads,
        }
    }
}
