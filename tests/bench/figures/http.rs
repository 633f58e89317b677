//! Commands over HTTP to the processes as they are deployed.

use std::time::Duration;

use tidemark_tests::Deployment;

use crate::load::{Measured, at_rate, saturate, saturate_two};
use crate::over_http::{CLIENTS, Lag, LagWatch, Market};
use crate::progress::Progress;
use crate::table::{Figure, Table, Target, quantile_ms};

/// Steps of [`measure_commands`].
pub(crate) const STEPS_OF_COMMANDS: u64 = 2;
/// Steps of [`measure_two_command_apis`].
pub(crate) const STEPS_OF_TWO_COMMAND_APIS: u64 = 2;

/// The target of commands per second, and the rate at which latencies are measured.
const RATE: f64 = 3_000.0;
/// The largest part of the throughput at which latencies are measured.
const BELOW_SATURATION: f64 = 0.8;

/// Measures commands per second, their latencies, and how far read models are behind meanwhile.
pub(crate) async fn measure_commands(
    (deployment, market): (&Deployment, &Market),
    duration: Duration,
    progress: &Progress,
    table: &mut Table,
) {
    progress.step("commands over HTTP, without a pause");
    let mut bidders = market.bidders(deployment).await;
    let watch = LagWatch::start(deployment, &market.head).await;
    let fastest = saturate(&mut bidders, duration).await;
    let lag = watch.end().await;
    let figure = Figure::rate("commands over HTTP, 64 connections", &fastest, "commands/s");
    table.add(figure.target(Target::AtLeast(RATE)));
    let [largest, catch_up] = figures_of_lag(&lag);
    table.add(largest);
    table.add(catch_up);

    progress.step("commands over HTTP, at a rate");
    let rate = RATE.min(fastest.per_second * BELOW_SATURATION);
    let watch = LagWatch::start(deployment, &market.head).await;
    let measured = at_rate(&mut bidders, rate, duration).await;
    let lag = watch.end().await;
    let name = format!("commands over HTTP, arriving at {rate:.0}/s");
    let figure = Figure::rate(name, &measured, "commands/s");
    table.add(figure.with_latencies(&measured.latencies));
    for (name, quantile, most) in [
        ("p95 of their latency", 0.95, 100.0),
        ("p99 of their latency", 0.99, 500.0),
    ] {
        let figure = Figure::new(name, quantile_ms(&measured.latencies, quantile), "ms");
        table.add(figure.target(Target::AtMost(most)));
    }
    // Read models must lag by less than arrives in a second, and soon not at all.
    let [largest, catch_up] = figures_of_lag(&lag);
    table.add(largest.target(Target::AtMost(rate.round())));
    table.add(catch_up.target(Target::AtMost(1.0)));
}

#[expect(clippy::cast_precision_loss, reason = "a measurement")]
fn figures_of_lag(lag: &Lag) -> [Figure; 2] {
    let largest = Figure::new(
        "largest lag of a read model meanwhile",
        lag.largest as f64,
        "events",
    );
    let catch_up = lag.catch_up.as_secs_f64();
    [
        largest,
        Figure::new("until no read model lags, after the last", catch_up, "s"),
    ]
}

/// Measures bids on one auction through two command APIs, against the same through one.
pub(crate) async fn measure_two_command_apis(
    (deployment, market): (&Deployment, &Market),
    duration: Duration,
    progress: &Progress,
    table: &mut Table,
) {
    let p99 = |name, measured: &Measured| Figure {
        failed: measured.failed,
        ..Figure::p99(name, &measured.latencies)
    };
    let first = &deployment.command_api;
    progress.step("bids on one auction over HTTP");
    let mut rivals = market.rivals(first, 0..CLIENTS).await;
    let of_one = saturate(&mut rivals, duration).await;
    let name = "p99 of bids on one auction over HTTP, 64 connections";
    let of_one = table.add(p99(name, &of_one)).clone();
    wait_for_read_models(deployment, market).await;

    progress.step("bids on one auction through two command APIs");
    let second = deployment.another_command_api().await;
    let rivals = [
        market.rivals(first, 0..CLIENTS / 2).await,
        market.rivals(&second, CLIENTS / 2..CLIENTS).await,
    ];
    let slower = saturate_two(rivals, duration).await;
    let name = "p99 of bids on one auction through the slower of two command APIs";
    let of_two = p99(name, &slower).against(&of_one);
    table.add(of_two.target(Target::AtMost(3.0)));
    wait_for_read_models(deployment, market).await;
}

/// Waits until no read model is behind, which what is measured next would notice.
async fn wait_for_read_models(deployment: &Deployment, market: &Market) {
    LagWatch::start(deployment, &market.head).await.end().await;
}
