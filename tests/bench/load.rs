//! Two ways to load what is measured. For the highest throughput, each client sends its next
//! request as soon as the last one is answered. For latencies, requests arrive at a fixed rate,
//! whatever became of those before, and a latency counts from the moment at which its request was
//! due: an answer that is late makes the requests that wait behind it late too, as it does for real
//! clients.

use std::mem::take;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// What was measured after the warm-up.
pub(crate) struct Measured {
    /// Requests that were answered as expected, each second.
    pub(crate) per_second: f64,
    /// The latencies of those, in microseconds.
    pub(crate) latencies: Histogram<u64>,
    /// Requests that were not answered as expected.
    pub(crate) failed: u32,
}

/// A client, which sends one request at a time.
pub(crate) trait Client: Send + 'static {
    /// Sends the next request, waits for its answer, and says whether that was as expected.
    fn send_next(&mut self) -> impl Future<Output = bool> + Send;
}

/// Has each client send requests without a pause, for `duration` after a warm-up of a quarter of
/// it.
pub(crate) async fn saturate<C: Client>(clients: &mut Vec<C>, duration: Duration) -> Measured {
    run(clients, Schedule::lasting(duration, None)).await
}

/// Does the same with two groups of clients at once, and returns what was measured with the one whose latencies are
/// longer, with the failures of both.
pub(crate) async fn saturate_two<C: Client>(
    [mut first, mut second]: [Vec<C>; 2],
    duration: Duration,
) -> Measured {
    let (first, second) = tokio::join!(
        saturate(&mut first, duration),
        saturate(&mut second, duration)
    );
    let failed = first.failed + second.failed;
    let p99 = |of: &Measured| of.latencies.value_at_quantile(0.99);
    let slower = if p99(&first) > p99(&second) {
        first
    } else {
        second
    };
    Measured { failed, ..slower }
}

/// Has requests arrive at a fixed rate, each sent by a client that is free.
pub(crate) async fn at_rate<C: Client>(
    clients: &mut Vec<C>,
    per_second: f64,
    duration: Duration,
) -> Measured {
    let interval = Duration::from_secs_f64(1.0 / per_second);
    run(clients, Schedule::lasting(duration, Some(interval))).await
}

/// Has requests arrive at a fixed rate while something else is done, without a warm-up; also returns the result of
/// what was done. Requests that wait when it is done are not sent any more: where more arrive than can be answered, they
/// would keep the load up for as long again.
pub(crate) async fn at_rate_during<C: Client, T>(
    clients: &mut Vec<C>,
    per_second: f64,
    done: impl Future<Output = T>,
) -> (Measured, T) {
    let schedule = Schedule::open(Duration::from_secs_f64(1.0 / per_second));
    let done = async {
        let result = done.await;
        let _ = schedule.until.set(Instant::now());
        result
    };
    tokio::join!(run(clients, Arc::clone(&schedule)), done)
}

async fn run<C: Client>(clients: &mut Vec<C>, schedule: Arc<Schedule>) -> Measured {
    let work = |client| tokio::spawn(work(client, Arc::clone(&schedule)));
    let tasks: Vec<_> = take(clients).into_iter().map(work).collect();
    let mut all = Counts::default();
    for task in tasks {
        let (client, counts) = task.await.unwrap();
        clients.push(client);
        all.done += counts.done;
        all.failed += counts.failed;
        all.latencies.add(counts.latencies).unwrap();
    }
    let until = schedule.until.get().copied().unwrap_or_else(Instant::now);
    let seconds = (until - schedule.from).as_secs_f64();
    Measured {
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

async fn work<C: Client>(mut client: C, schedule: Arc<Schedule>) -> (C, Counts) {
    let mut counts = Counts::default();
    while let Some(due) = schedule.next().await {
        let succeeded = client.send_next().await;
        let now = Instant::now();
        if due < schedule.from {
            continue;
        }
        if succeeded {
            counts.latencies.saturating_record(micros(now - due));
            // Only what was answered within the time counts for the rate.
            counts.done += u32::from(!schedule.is_over(now));
        } else {
            counts.failed += 1;
        }
    }
    (client, counts)
}

/// An empty histogram for latencies up to a minute, in microseconds.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).unwrap()
}

/// A duration in microseconds, as histograms hold it.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// When requests are due.
struct Schedule {
    start: Instant,
    /// The end of the warm-up.
    from: Instant,
    /// The end, once it is known.
    until: OnceLock<Instant>,
    /// The time between two requests. Without it a request is due when a client is free.
    interval: Option<Duration>,
    arrived: AtomicU32,
    /// Whether requests that were due before the end are sent after it.
    sends_late: bool,
}

impl Schedule {
    /// Requests for this long after a warm-up.
    fn lasting(duration: Duration, interval: Option<Duration>) -> Arc<Self> {
        let start = Instant::now();
        let from = start + duration / 4;
        Arc::new(Self {
            start,
            from,
            until: OnceLock::from(from + duration),
            interval,
            arrived: AtomicU32::new(0),
            sends_late: true,
        })
    }

    /// Requests until somebody sets the end.
    fn open(interval: Duration) -> Arc<Self> {
        let start = Instant::now();
        Arc::new(Self {
            start,
            from: start,
            until: OnceLock::new(),
            interval: Some(interval),
            arrived: AtomicU32::new(0),
            sends_late: false,
        })
    }

    fn is_over(&self, at: Instant) -> bool {
        self.until.get().is_some_and(|until| at >= *until)
    }

    /// Waits until the next request is due, and returns when that was; none when the time is over.
    async fn next(&self) -> Option<Instant> {
        let now = Instant::now();
        let due = self.interval.map_or(now, |interval| {
            self.start + interval * self.arrived.fetch_add(1, Relaxed)
        });
        if self.is_over(due) || !self.sends_late && self.is_over(now) {
            return None;
        }
        if due > now {
            tokio::time::sleep_until(due.into()).await;
        }
        Some(due)
    }
}
