//! Figures of the processes as they are deployed, over HTTP: commands, and what is seen of them.

use std::time::Duration;

use tidemark_tests::Deployment;

use crate::bidders::Market;
use crate::lag::{Lag, Watching};
use crate::load::{at_rate, saturate};
use crate::progress::Progress;
use crate::table::{Figure, Reach, Table, quantile_ms};

/// Steps of [`commands`].
pub(crate) const COMMANDS: u64 = 2;
/// Steps of [`visible`].
pub(crate) const VISIBLE: u64 = 1;

/// Commands a second to reach, and at which latencies are measured.
const RATE: f64 = 3_000.0;
/// How much of what can be done is asked for at most where latencies are measured.
const BELOW_SATURATION: f64 = 0.8;
/// Commands a second while their visibility is measured.
const VISIBLE_RATE: f64 = 1_000.0;

/// Commands a second, and their latencies, while read models follow.
pub(crate) async fn commands(
    (deployment, market): (&Deployment, &Market),
    duration: Duration,
    progress: &Progress,
    table: &mut Table,
) {
    progress.step("commands over HTTP, as many as can be");
    let mut bidders = market.bidders(deployment).await;
    let watching = Watching::start(deployment, &market.head).await;
    let most = saturate(&mut bidders, duration).await;
    let lag = watching.end().await;
    let figure = Figure::rate("commands over HTTP, 64 connections", &most, "commands/s");
    table.add(figure.reach(Reach::AtLeast(RATE)));
    let [largest, after] = figures_of(&lag);
    table.add(largest);
    table.add(after);

    progress.step("commands over HTTP, at a rate");
    let rate = RATE.min(most.per_second * BELOW_SATURATION);
    let watching = Watching::start(deployment, &market.head).await;
    let seen = at_rate(&mut bidders, rate, duration).await;
    let lag = watching.end().await;
    let name = format!("commands over HTTP, arriving at {rate:.0}/s");
    let figure = Figure::rate(name, &seen, "commands/s");
    table.add(figure.latencies(&seen.latencies));
    for (name, quantile, most) in [("their p95", 0.95, 100.0), ("their p99", 0.99, 500.0)] {
        let figure = Figure::new(name, quantile_ms(&seen.latencies, quantile), "ms");
        table.add(figure.reach(Reach::AtMost(most)));
    }
    // Bounded: less than arrives in a second, and soon none.
    let [largest, after] = figures_of(&lag);
    table.add(largest.reach(Reach::AtMost(rate.round())));
    table.add(after.reach(Reach::AtMost(1.0)));
}

#[expect(clippy::cast_precision_loss, reason = "a measurement")]
fn figures_of(lag: &Lag) -> [Figure; 2] {
    let largest = Figure::new("largest lag of a read model", lag.largest as f64, "events");
    let after = lag.after.as_secs_f64();
    [
        largest,
        Figure::new("until none had any, after the last", after, "s"),
    ]
}

/// How long a command takes until a query shows it.
pub(crate) async fn visible(
    (deployment, market): (&Deployment, &Market),
    duration: Duration,
    progress: &Progress,
    table: &mut Table,
) {
    progress.step("commands until a query shows them");
    let mut readers = market.readers(deployment).await;
    let seen = at_rate(&mut readers, VISIBLE_RATE, duration).await;
    let name = "commands seen through the query API";
    let figure = Figure::rate(name, &seen, "commands/s");
    table.add(figure.latencies(&seen.latencies));
    let p99 = Figure::new(
        "their p99, from due to seen",
        quantile_ms(&seen.latencies, 0.99),
        "ms",
    );
    table.add(p99.reach(Reach::AtMost(100.0)));
}
