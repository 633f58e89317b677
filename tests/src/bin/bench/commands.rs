//! Figures of commands, in-process: the executor and the append function without HTTP.

use std::{sync::Arc, time::Duration};

use indicatif::ProgressBar;

use crate::{
    baseline,
    driver::closed_loop,
    table::{Figure, Table},
    world::{AUCTIONS, World},
};

/// How many figures there are.
pub(crate) const FIGURES: u64 = 9;

const WAITING: usize = 512;
const CLIENTS: usize = 64;

/// Measures all of them.
pub(crate) async fn measure(
    world: &Arc<World>,
    duration: Duration,
    progress: &ProgressBar,
    table: &mut Table,
) {
    let step = |name: &'static str| {
        progress.inc(1);
        progress.set_message(name);
    };

    step("COPY");
    let copy = Figure::new(
        "COPY of events and records",
        baseline::copy(world, duration).await,
        "events/s",
    );
    step("append function, 512");
    let rate = baseline::append_function(world, WAITING, true, duration).await;
    let bare_512 =
        Figure::new("append function, 512 a call", rate, "events/s").against(&copy, None);
    step("executor, 512 waiting");
    // Each client keeps to streams of its own, so that only the log limits.
    let many = |world: &World, client: usize, turn: usize| {
        world.bid((client + turn * WAITING) % AUCTIONS, client, true)
    };
    let seen = closed_loop(world, WAITING, duration, many).await;
    let executor_512 = Figure::new(
        "executor, 512 commands waiting",
        seen.per_second,
        "events/s",
    );
    let many_streams = seen.per_second;
    let of_copy = executor_512
        .against(&copy, Some(0.50))
        .latencies(&seen.latencies);
    let of_bare =
        Figure::new("the same", seen.per_second, "events/s").against(&bare_512, Some(0.75));
    table.add(copy);
    table.add(bare_512);
    table.add(of_copy);
    table.add(of_bare);

    step("append function, 64");
    let rate = baseline::append_function(world, CLIENTS, false, duration).await;
    let bare_64 = Figure::new("append function, 64 a call", rate, "commands/s");
    step("a transaction a command");
    let seen = baseline::transaction_a_command(world, CLIENTS, duration).await;
    let single = Figure::new("one transaction a command", seen.per_second, "commands/s");
    let single = single.latencies(&seen.latencies);
    step("executor, 64 clients");
    let seen = closed_loop(world, CLIENTS, duration, |world, client, turn| {
        world.bid((client + turn * CLIENTS) % AUCTIONS, client, false)
    })
    .await;
    let executor = || {
        Figure::new(
            "executor, 64 clients, 10,000 streams",
            seen.per_second,
            "commands/s",
        )
    };
    let of_bare = executor()
        .against(&bare_64, Some(0.60))
        .latencies(&seen.latencies);
    let of_single =
        Figure::new("the same", seen.per_second, "commands/s").against(&single, Some(5.0));
    table.add(bare_64);
    table.add(single);
    table.add(of_bare);
    table.add(of_single);

    step("one auction");
    let seen = closed_loop(world, CLIENTS, duration, |world, client, _| {
        world.bid(0, client, false)
    })
    .await;
    let hot = Figure::new("bids accepted on one auction", seen.per_second, "bids/s");
    let reference = Figure::new("executor, 512 commands waiting", many_streams, "events/s");
    table.add(
        hot.against(&reference, Some(0.50))
            .latencies(&seen.latencies),
    );

    step("one client");
    let insert = baseline::insert(world, duration).await;
    let seen = closed_loop(world, 1, duration, |world, _, turn| {
        world.bid(turn % AUCTIONS, 0, false)
    })
    .await;
    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    let median = |latencies: &hdrhistogram::Histogram<u64>| latencies.value_at_quantile(0.5) as f64;
    let bare =
        Figure::new("bare INSERT and COMMIT", median(&insert), "µs (median)").latencies(&insert);
    let one = Figure::new(
        "one client's command",
        median(&seen.latencies),
        "µs (median)",
    )
    .against(&bare, Some(1.5))
    .latencies(&seen.latencies);
    table.add(bare);
    table.add(one);
}
