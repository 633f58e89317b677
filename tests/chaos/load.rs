//! The load: clients that send commands, read their own writes, and write down what they saw.

mod client;
mod crowd;
mod market;
mod participant;
mod pictures;
mod tally;
mod tasks;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use tidemark_tests::Answer;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::journal::{Entry, Journal};
use crate::stack::{Process, Stack};
use client::Client;
use market::Market;
use participant::Participant;
use pictures::Uploader;
use tally::Counters;
use tasks::Tasks;

pub(crate) use crowd::{Bids, CrowdBidder, keep_bidding};
pub(crate) use pictures::Uploads;
pub(crate) use tally::Tally;

/// Clients that work at the same time.
const CLIENTS: usize = 16;
/// Longer than any fault keeps commands from being accepted, recovery included.
const OUTAGE_MAX: Duration = Duration::from_secs(90);

/// Clients at work, until [`Load::finish`].
pub(crate) struct Load {
    shared: Arc<Shared>,
    /// The clients.
    working: Mutex<JoinSet<()>>,
    tasks: Tasks,
}

/// What the clients share.
struct Shared {
    journal: Journal,
    started: Instant,
    market: Market,
    command_urls: Vec<String>,
    query_urls: Vec<String>,
    /// How often each client sends a command, if it is answered in time.
    send_interval: Duration,
    counters: Counters,
    /// When the latest command was sent that was accepted.
    last_accepted: watch::Sender<Instant>,
    /// When the latest query was sent that was answered 2xx.
    last_answered: watch::Sender<Instant>,
    uploads: watch::Sender<Uploads>,
    /// How long the queries took that were answered since [`Load::p99_of_queries`] began.
    query_latencies: Mutex<Vec<Duration>>,
    stop: CancellationToken,
}

impl Load {
    /// Registers everybody and sets the clients to work. All their choices follow from `seed`. The
    /// journal is written in `directory`.
    pub(crate) async fn start(stack: &Stack, seed: u64, directory: &Path) -> Self {
        let urls = |processes: &[Process]| -> Vec<String> {
            let urls = processes.iter().map(|process| process.url.clone());
            urls.collect()
        };
        let (command_urls, query_urls) = (urls(&stack.command_apis), urls(&stack.query_apis));
        let people = market::register(&command_urls[0], &stack.settings).await;
        let tasks = Tasks::define(stack, stack.size.tasks).await;
        let started = Instant::now();
        let shared = Arc::new(Shared {
            journal: Journal::create(directory),
            started,
            market: Market::default(),
            command_urls,
            query_urls,
            send_interval: stack.size.send_interval,
            counters: Counters::default(),
            last_accepted: watch::Sender::new(started),
            last_answered: watch::Sender::new(started),
            uploads: watch::Sender::default(),
            query_latencies: Mutex::default(),
            stop: CancellationToken::new(),
        });
        let load = Self {
            shared,
            working: Mutex::new(JoinSet::new()),
            tasks,
        };
        let seller = people[0].owner.clone();
        load.spawn(Uploader::new(load.shared.clone(), seller).work());
        for (number, people) in people.into_iter().enumerate() {
            let rng = StdRng::seed_from_u64(seed.wrapping_add(number.try_into().unwrap()));
            let client = Client::new(load.shared.clone(), number, rng);
            load.spawn(Participant::new(client, people).work());
        }
        load
    }

    /// What the clients saw so far.
    pub(crate) fn tally(&self) -> Tally {
        self.shared.counters.read()
    }

    /// Waits until a command that was sent after this call has been accepted; returns how long that
    /// took.
    pub(crate) async fn wait_for_accepted_command(&self) -> Duration {
        wait_for_later(&self.shared.last_accepted, "command was accepted").await
    }

    /// Waits until a query that was sent after this call has been answered, as fresh as it asked
    /// for; returns how long that took.
    pub(crate) async fn wait_for_answered_query(&self) -> Duration {
        wait_for_later(&self.shared.last_answered, "query was answered").await
    }

    /// Waits until uploads were answered like that so often more that `is_enough`, which is told the difference; returns how
    /// long that took.
    pub(crate) async fn wait_for_uploads(&self, is_enough: impl Fn(Uploads) -> bool) -> Duration {
        let (began, mut uploads) = (Instant::now(), self.shared.uploads.subscribe());
        let before = *uploads.borrow();
        let answered = uploads.wait_for(|now| is_enough(*now - before));
        let answered = timeout(OUTAGE_MAX, answered).await;
        assert!(
            answered.is_ok(),
            "no upload was answered like that for {OUTAGE_MAX:?}"
        );
        began.elapsed()
    }

    /// Waits until this many more commands have been accepted.
    pub(crate) async fn wait_for_commands(&self, count: u64) {
        let goal = self.tally().accepted + count;
        let mut accepted = self.shared.last_accepted.subscribe();
        while self.tally().accepted < goal {
            let next = timeout(OUTAGE_MAX, accepted.changed()).await;
            let next =
                next.unwrap_or_else(|_| panic!("no command was accepted for {OUTAGE_MAX:?}"));
            next.unwrap();
        }
    }

    /// Measures queries for some time: 99 of 100 took no longer than this.
    pub(crate) async fn p99_of_queries(&self, time: Duration) -> Duration {
        self.shared.query_latencies.lock().unwrap().clear();
        sleep(time).await;
        let mut latencies = std::mem::take(&mut *self.shared.query_latencies.lock().unwrap());
        p99(&mut latencies).expect("queries are answered")
    }

    /// Makes bidders besides the clients. They send nothing by themselves.
    pub(crate) fn crowd(&self, count: usize) -> Vec<CrowdBidder> {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let bidder = |number| CrowdBidder {
            shared: self.shared.clone(),
            number,
            http: http.clone(),
        };
        (0..count).map(bidder).collect()
    }

    /// Writes into the journal that the log was set back, while no command is accepted.
    pub(crate) fn log_is_set_back(&self, head: i64) {
        self.shared.journal.write(Entry::LogSetBack { head });
    }

    /// Writes into the journal that a fault begins.
    pub(crate) fn fault_begins(&self, fault: &str) {
        let (at_ms, fault) = (self.shared.now_ms(), fault.to_owned());
        self.shared
            .journal
            .write(Entry::FaultBegins { at_ms, fault });
    }

    /// Writes into the journal that a fault is over.
    pub(crate) fn fault_ends(&self, fault: &str) {
        let (at_ms, fault) = (self.shared.now_ms(), fault.to_owned());
        self.shared.journal.write(Entry::FaultEnds { at_ms, fault });
    }

    /// Lets every client finish the command that it has begun and every task its run, and returns the journal.
    pub(crate) async fn finish(self) -> Vec<Entry> {
        self.shared.stop.cancel();
        let mut working = self.working.into_inner().unwrap();
        while let Some(ended) = working.join_next().await {
            ended.unwrap();
        }
        self.tasks.pause(&self.shared.command_urls[0]).await;
        let shared = Arc::into_inner(self.shared).expect("all clients and bidders have ended");
        shared.journal.finish()
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.working.lock().unwrap().spawn(work);
    }
}

/// The duration that 99 of 100 do not exceed; none if there are no durations.
pub(crate) fn p99(durations: &mut [Duration]) -> Option<Duration> {
    durations.sort_unstable();
    durations.get(durations.len() * 99 / 100).copied()
}

async fn wait_for_later(latest: &watch::Sender<Instant>, what: &str) -> Duration {
    let now = Instant::now();
    let mut latest = latest.subscribe();
    let is_later = latest.wait_for(|latest| *latest > now);
    let later = timeout(OUTAGE_MAX, is_later).await;
    assert!(later.is_ok(), "no {what} for {OUTAGE_MAX:?}");
    now.elapsed()
}

impl Shared {
    /// Writes into the journal that an attempt was answered 5xx.
    fn note_server_error(&self, answer: &Answer) {
        self.journal.write(Entry::ServerError {
            at_ms: self.now_ms(),
            status: answer.status,
            code: answer.code().to_owned(),
            retry_after: !answer.header("retry-after").is_empty(),
        });
    }

    /// Milliseconds since the load began.
    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis().try_into().unwrap()
    }
}
