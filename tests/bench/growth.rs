//! Whether the log stays as fast when it is long: the same commands, on a short log and on a long one.

use std::sync::Arc;
use std::time::Duration;

use crate::driver::{closed_loop, warm_up};
use crate::fill::fill;
use crate::progress::Progress;
use crate::table::{Figure, Table};
use crate::world::{AUCTIONS, World};

/// Steps of [`measure`].
pub(crate) const STEPS: u64 = 4;

/// Commands that wait.
const WAITING: usize = 512;
/// Events of the short log.
const SHORT: i64 = 100_000;

/// Events appended a second, at both lengths.
pub(crate) async fn measure(long: i64, duration: Duration, progress: &Progress, table: &mut Table) {
    progress.step("filling a log");
    let world = Arc::new(World::create().await);
    warm_up(&world).await;
    fill(&world.database, SHORT).await;
    progress.step("appending to a short log");
    let short = append(&world, duration).await;
    let name = format!("executor, 512 waiting, at {SHORT} events");
    let short = table.add(Figure::new(name, short, "events/s"));

    progress.step("filling it further");
    fill(&world.database, long).await;
    progress.step("appending to a long log");
    let rate = append(&world, duration).await;
    let figure = Figure::new(format!("the same at {long} events"), rate, "events/s");
    let figure = figure.against(short, Some(0.80));
    table.add(figure);
}

async fn append(world: &Arc<World>, duration: Duration) -> f64 {
    let seen = closed_loop(world, WAITING, duration, |world, client, turn| {
        world.bid((client + turn * WAITING) % AUCTIONS, client, true)
    });
    seen.await.per_second
}
