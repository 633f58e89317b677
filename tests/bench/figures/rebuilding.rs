//! Queries while every read model is rebuilt from a log that is already long, and the rollback afterwards, with
//! everything running and commands arriving all the time.

use std::time::{Duration, Instant};

use futures::future::join_all;
use tidemark_read_models::folds;
use tidemark_tests::{Database, Deployment, Process, Settings};

use crate::in_process::long_log::fill;
use crate::load::{Measured, at_rate, at_rate_during};
use crate::over_http::{Market, QueryingBidder, Seen, querying_bidders};
use crate::progress::Progress;
use crate::table::{Figure, Table, Target, quantile_ms};

/// Steps of [`measure`].
pub(crate) const STEPS: u64 = 4;

/// Commands a second.
const RATE: f64 = 500.0;
/// The least that must have been answered of these. Else queries were measured under less load.
const RATE_MIN: f64 = 0.95 * RATE;
/// How much slower the slowest hundredth of the queries may be meanwhile.
const SLOWER: f64 = 1.5;
/// How long a rollback may take, in seconds.
const ROLLBACK: f64 = 1.0;

/// Measures queries before and while all read models are rebuilt from a log of this many events, and how long it takes
/// to roll back.
pub(crate) async fn measure(
    events: i64,
    duration: Duration,
    progress: &Progress,
    table: &mut Table,
) {
    progress.step("a log to rebuild all read models from");
    let database = Database::fresh().await;
    fill(&database, events).await;
    let deployment = Deployment::start_on(database, &[]).await;
    let app = &deployment.app;
    app.settle().await;
    let market = Market::open(&deployment).await;
    app.settle().await;
    let mut clients = querying_bidders(&market, &deployment).await;
    at_rate(&mut clients, RATE, duration / 4).await;
    QueryingBidder::take_seen(&mut clients);

    progress.step("queries before a rebuild");
    let measured = at_rate(&mut clients, RATE, duration).await;
    let before = QueryingBidder::take_seen(&mut clients);
    let name = format!("p99 of queries, commands arriving at {RATE:.0}/s");
    let before = table.add(p99(name, &before, &measured)).clone();

    progress.step("queries during a rebuild");
    let work = rebuild_all(&app.settings);
    let (measured, took) = at_rate_during(&mut clients, RATE, work).await;
    let during = QueryingBidder::take_seen(&mut clients);
    let name = "p99 of queries while all read models are rebuilt";
    let figure = p99(name, &during, &measured).against(&before);
    table.add(figure.target(Target::AtMost(SLOWER)));
    let figure = Figure::rate("commands meanwhile", &measured, "commands/s");
    table.add(figure.target(Target::AtLeast(RATE_MIN)));
    let name = format!("rebuild of all read models meanwhile, log of {events} events");
    table.add(Figure::new(name, took.as_secs_f64(), "s"));

    progress.step("queries during a rollback");
    let work = roll_back_all(&app.settings);
    let (_, slowest) = at_rate_during(&mut clients, RATE, work).await;
    let wrong = during.wrong + QueryingBidder::take_seen(&mut clients).wrong;
    let name = "queries meanwhile, and during rollbacks, that failed, were stale or mixed";
    let figure = Figure::new(name, f64::from(wrong), "queries");
    table.add(figure.target(Target::AtMost(0.0)));
    let figure = Figure::new(
        "slowest rollback of a read model",
        slowest.as_secs_f64(),
        "s",
    );
    table.add(figure.target(Target::AtMost(ROLLBACK)));
}

/// The figure of queries. Commands that failed count too, since no query followed them.
fn p99(name: impl Into<String>, seen: &Seen, measured: &Measured) -> Figure {
    let figure = Figure::new(name.into(), quantile_ms(&seen.latencies, 0.99), "ms");
    Figure {
        failed: measured.failed,
        ..figure.with_latencies(&seen.latencies)
    }
}

/// Rebuilds all read models at once, and returns how long it took until all new generations served, each of which was
/// the same as the one before.
async fn rebuild_all(settings: &Settings) -> Duration {
    let started = Instant::now();
    join_all(
        folds()
            .into_iter()
            .map(|(read_model, _)| order(settings, "rebuild", read_model)),
    )
    .await;
    started.elapsed()
}

/// Rolls back each read model in turn, and returns how long the slowest took.
async fn roll_back_all(settings: &Settings) -> Duration {
    let mut slowest = Duration::ZERO;
    for (read_model, _) in folds() {
        let started = Instant::now();
        order(settings, "rollback", read_model).await;
        slowest = slowest.max(started.elapsed());
    }
    slowest
}

/// Has the operators' tool carry out an order to its end. That it succeeds also says that a comparison found no
/// difference.
async fn order(settings: &Settings, order: &str, read_model: &str) {
    let settings = settings.as_service("operator");
    let arguments = [
        order,
        read_model,
        "--reason",
        "to measure queries meanwhile",
    ];
    let tool = Process::operators_tool(&settings, &arguments).await;
    assert!(
        tool.status.success(),
        "the {order} of {read_model} failed: {tool:?}"
    );
}
