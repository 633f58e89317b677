//! Two ways to load what is measured. For the most that can be done, each client sends again as soon as
//! it is answered. For latencies, requests arrive at a fixed rate, whatever became of those before, and
//! a latency counts from the moment at which its request was due: an answer that is late makes the
//! requests that wait behind it late too, as it does for real clients.

use std::mem::take;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// What was seen after the warm-up.
pub(crate) struct Seen {
    /// Requests that were answered as they should be, each second.
    pub(crate) per_second: f64,
    /// Of those, in microseconds.
    pub(crate) latencies: Histogram<u64>,
    /// Requests that were answered otherwise.
    pub(crate) failed: u32,
}

/// Somebody who sends one request at a time.
pub(crate) trait Client: Send + 'static {
    /// Sends the next request and waits for its answer. Whether that was the expected one.
    fn turn(&mut self) -> impl Future<Output = bool> + Send;
}

/// Has each client send again and again, for `duration` after a warm-up of a quarter of it.
pub(crate) async fn saturate<C: Client>(clients: &mut Vec<C>, duration: Duration) -> Seen {
    run(clients, Plan::new(duration, None)).await
}

/// Has requests arrive at a rate, each sent by a client that is free.
pub(crate) async fn at_rate<C: Client>(
    clients: &mut Vec<C>,
    per_second: f64,
    duration: Duration,
) -> Seen {
    let interval = Duration::from_secs_f64(1.0 / per_second);
    run(clients, Plan::new(duration, Some(interval))).await
}

async fn run<C: Client>(clients: &mut Vec<C>, plan: Plan) -> Seen {
    let plan = Arc::new(plan);
    let work = |client| tokio::spawn(work(client, Arc::clone(&plan)));
    let tasks: Vec<_> = take(clients).into_iter().map(work).collect();
    let mut all = Counts::default();
    for task in tasks {
        let (client, counts) = task.await.unwrap();
        clients.push(client);
        all.done += counts.done;
        all.failed += counts.failed;
        all.latencies.add(counts.latencies).unwrap();
    }
    let seconds = (plan.until - plan.from).as_secs_f64();
    Seen {
        per_second: f64::from(all.done) / seconds,
        latencies: all.latencies,
        failed: all.failed,
    }
}

struct Counts {
    done: u32,
    failed: u32,
    latencies: Histogram<u64>,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            done: 0,
            failed: 0,
            latencies: histogram(),
        }
    }
}

async fn work<C: Client>(mut client: C, plan: Arc<Plan>) -> (C, Counts) {
    let mut counts = Counts::default();
    while let Some(due) = plan.next().await {
        let succeeded = client.turn().await;
        let now = Instant::now();
        if due < plan.from {
            continue;
        }
        if succeeded {
            counts.latencies.saturating_record(micros(now - due));
            // What was answered in time makes the rate, not what was asked for.
            counts.done += u32::from(now < plan.until);
        } else {
            counts.failed += 1;
        }
    }
    (client, counts)
}

/// For latencies up to a minute, in microseconds.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).unwrap()
}

/// As the histogram has it.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// When requests are due.
struct Plan {
    start: Instant,
    from: Instant,
    until: Instant,
    /// None where a request is due when a client is free.
    interval: Option<Duration>,
    arrived: AtomicU32,
}

impl Plan {
    fn new(duration: Duration, interval: Option<Duration>) -> Self {
        let start = Instant::now();
        let from = start + duration / 4;
        Self {
            start,
            from,
            until: from + duration,
            interval,
            arrived: AtomicU32::new(0),
        }
    }

    /// Waits until the next request is due; none when the time is over.
    async fn next(&self) -> Option<Instant> {
        let now = Instant::now();
        let due = self.interval.map_or(now, |interval| {
            self.start + interval * self.arrived.fetch_add(1, Relaxed)
        });
        if due >= self.until {
            return None;
        }
        if due > now {
            tokio::time::sleep_until(due.into()).await;
        }
        Some(due)
    }
}
