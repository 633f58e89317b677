//! Figures of commands, in-process: the executor and the append function without HTTP.

use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::baseline;
use crate::driver::{closed_loop, open_loop, warm_up};
use crate::progress::Progress;
use crate::table::{Figure, Reach, Table, quantile_ms};
use crate::world::{AUCTIONS, World};

/// Steps of [`measure`].
pub(crate) const STEPS: u64 = 9;

const WAITING: usize = 512;
const CLIENTS: usize = 64;
/// One half of the commands is decided while the other one is on its way: an append has so many.
const HALVES: usize = 2;
/// How much of what can be done is asked for where latencies are measured.
const BELOW_SATURATION: f64 = 0.7;
/// From so many calls of `fdatasync` a second on, so many commands a second are to be reached.
const FAST_DISK: f64 = 5_000.0;
const ON_FAST_DISK: f64 = 25_000.0;

/// Measures all of them, on a disk that does so many `fdatasync` a second.
pub(crate) async fn measure(
    world: &Arc<World>,
    (duration, disk): (Duration, f64),
    progress: &Progress,
    table: &mut Table,
) {
    warm_up(world).await;
    let many_streams = waiting(world, duration, progress, table).await;
    clients(world, (duration, disk), progress, table).await;

    progress.step("one auction");
    let seen = closed_loop(world, CLIENTS, duration, |world, client, _| {
        world.bid(0, client, false)
    })
    .await;
    let hot = Figure::new("bids accepted on one auction", seen.per_second, "bids/s");
    table.add(hot.against(&many_streams, Some(0.50)));

    progress.step("one client");
    let median = |name, latencies: &Histogram<u64>| {
        Figure::new(name, quantile_ms(latencies, 0.5), "ms (median)").latencies(latencies)
    };
    let insert = baseline::insert(world, duration).await;
    let insert = median("bare INSERT and COMMIT", &insert);
    let append = baseline::transaction_a_command(world, 1, duration).await;
    let append = median("append function, one event a call", &append.latencies);
    let append = append.beside(&insert);
    let seen = closed_loop(world, 1, duration, |world, _, turn| {
        world.bid(turn % AUCTIONS, 0, false)
    });
    let one = median("one client's command", &seen.await.latencies);
    let one = one.beside(&insert).reach(Reach::AtMost(1.5));
    for figure in [insert, append, one] {
        table.add(figure);
    }
}

/// With full batches, against what Postgres can do with the same rows.
async fn waiting(
    world: &Arc<World>,
    duration: Duration,
    progress: &Progress,
    table: &mut Table,
) -> Figure {
    progress.step("COPY");
    let copy = baseline::copy(world, duration).await;
    let copy = Figure::new("COPY of events and records", copy, "events/s");
    progress.step("append function, 256 a call");
    let bare = baseline::append_function(world, WAITING / HALVES, true, duration).await;
    let bare = Figure::new("append function, 256 a call", bare, "events/s").against(&copy, None);

    progress.step("executor, 512 waiting");
    // Each client keeps to streams of its own, so that only the log limits.
    let seen = closed_loop(world, WAITING, duration, |world, client, turn| {
        world.bid((client + turn * WAITING) % AUCTIONS, client, true)
    });
    let rate = seen.await.per_second;
    let executor = || Figure::new("executor, 512 commands waiting", rate, "events/s");
    let of_bare = executor().against(&bare, Some(0.75));
    let of_copy = executor().against(&copy, Some(0.50));
    for figure in [copy, bare, of_copy, of_bare] {
        table.add(figure);
    }
    executor()
}

/// With as many clients as are usual, against the function and against a transaction each.
async fn clients(
    world: &Arc<World>,
    (duration, disk): (Duration, f64),
    progress: &Progress,
    table: &mut Table,
) {
    progress.step("append function, 32 a call");
    let bare = baseline::append_function(world, CLIENTS / HALVES, false, duration).await;
    let bare = Figure::new("append function, 32 a call", bare, "commands/s");
    progress.step("a transaction a command");
    let single = baseline::transaction_a_command(world, CLIENTS, duration).await;
    let single = Figure::new("one transaction a command", single.per_second, "commands/s");

    progress.step("executor, 64 clients");
    let bid = |world: &World, client: usize, turn: usize| {
        world.bid((client + turn * CLIENTS) % AUCTIONS, client, false)
    };
    let most = closed_loop(world, CLIENTS, duration, bid).await.per_second;
    let name = "executor, 64 clients, 10,000 streams";
    let executor = || Figure::new(name, most, "commands/s");
    let of_bare = executor().against(&bare, Some(0.60));
    let of_single = executor().against(&single, Some(5.0));
    for figure in [bare, single, of_bare, of_single] {
        table.add(figure);
    }
    if disk >= FAST_DISK {
        table.add(executor().reach(Reach::AtLeast(ON_FAST_DISK)));
    }

    progress.step("executor, at a rate");
    let rate = most * BELOW_SATURATION;
    let seen = open_loop(world, CLIENTS, rate, duration, bid).await;
    let name = format!("executor, commands arriving at {rate:.0}/s");
    table.add(Figure::new(name, seen.per_second, "commands/s").latencies(&seen.latencies));
}
