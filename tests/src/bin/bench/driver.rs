//! Clients that each wait for an answer before they send again, and what they saw.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use tidemark_command_api::executor::Intent;

use crate::world::World;

/// What was seen after the warm-up.
pub(crate) struct Seen {
    /// Commands that were done, each second.
    pub(crate) per_second: f64,
    /// Of those, in microseconds.
    pub(crate) latencies: Histogram<u64>,
}

/// Has `clients` send what `next` makes of their number and their turn, for `duration`.
pub(crate) async fn closed_loop(
    world: &Arc<World>,
    clients: usize,
    duration: Duration,
    next: impl Fn(&World, usize, usize) -> Intent + Send + Sync + Copy + 'static,
) -> Seen {
    let from = Instant::now() + duration / 4;
    let until = from + duration;
    let tasks = (0..clients).map(|client| {
        let world = Arc::clone(world);
        tokio::spawn(async move {
            let mut latencies = histogram();
            for turn in 0.. {
                let sent = Instant::now();
                if sent >= until {
                    break;
                }
                let done = world.executor.execute(next(&world, client, turn)).await;
                // A bid that another overtook is refused: that is an answer, but not a bid.
                if done.is_ok() && sent >= from {
                    latencies.saturating_record(micros(sent.elapsed()));
                }
            }
            latencies
        })
    });
    let mut latencies = histogram();
    for task in tasks.collect::<Vec<_>>() {
        latencies.add(task.await.unwrap()).unwrap();
    }
    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    let per_second = latencies.len() as f64 / duration.as_secs_f64();
    Seen {
        per_second,
        latencies,
    }
}

/// For latencies up to a minute, in microseconds.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).unwrap()
}

/// As the histogram has it.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
