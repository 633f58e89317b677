//! Whether appends stay as fast when the log is long: the same commands on a short log and on a
//! long one.

use std::sync::Arc;
use std::time::Duration;

use crate::in_process::clients::{closed_loop, warm_up};
use crate::in_process::long_log::fill;
use crate::in_process::{AUCTIONS, Market};
use crate::progress::Progress;
use crate::table::{Figure, Table, Target};

/// Steps of [`measure`].
pub(crate) const STEPS: u64 = 4;

/// Clients, and so commands that wait at any time.
const WAITING: usize = 512;
/// Events of the short log.
const SHORT: i64 = 100_000;

/// Measures events appended per second at both lengths; `long` is a number of events.
pub(crate) async fn measure(long: i64, duration: Duration, progress: &Progress, table: &mut Table) {
    progress.step("filling a log");
    let market = Arc::new(Market::create().await);
    warm_up(&market).await;
    fill(&market.database, SHORT).await;
    progress.step("appending to a short log");
    let short = append(&market, duration).await;
    let name = format!("executor, {WAITING} commands waiting, log of {SHORT} events");
    let short = table.add(Figure::new(name, short, "events/s"));

    progress.step("filling it further");
    fill(&market.database, long).await;
    progress.step("appending to a long log");
    let rate = append(&market, duration).await;
    let name = format!("executor, {WAITING} commands waiting, log of {long} events");
    let figure = Figure::new(name, rate, "events/s");
    let figure = figure.against(short).target(Target::AtLeast(0.80));
    table.add(figure);
}

async fn append(market: &Arc<Market>, duration: Duration) -> f64 {
    let measured = closed_loop(market, WAITING, duration, |market, client, sent| {
        market.bid((client + sent * WAITING) % AUCTIONS, client, true)
    });
    measured.await.per_second
}
