//! Commands in this process: the executor and the append function, without HTTP.

use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::in_process::clients::{
    closed_loop, closed_loop_beside_replays, closed_loop_of_two, open_loop, warm_up,
};
use crate::in_process::{AUCTIONS, Market, baseline};
use crate::load::Measured;
use crate::progress::Progress;
use crate::table::{Figure, Table, Target, quantile_ms};

/// Steps of [`measure`].
pub(crate) const STEPS: u64 = 13;

/// Clients that fill every batch, and so commands that wait at any time.
const WAITING: usize = 512;
/// Clients of an ordinary load.
const CLIENTS: usize = 64;
/// Clients of a light load.
const FEW: usize = 16;
/// The executor decides one half of the waiting commands while the other half is being appended. So
/// an append has this part of the clients' commands.
const HALVES: usize = 2;
/// The part of the throughput at which latencies are measured.
const BELOW_SATURATION: f64 = 0.7;
/// The auction that all bid on, and another one.
const AUCTION: usize = 0;
const OTHER_AUCTION: usize = 1;
/// A disk with this many calls of `fdatasync` per second is fast.
const FAST_DISK: f64 = 5_000.0;
/// The target of commands per second on a fast disk.
const COMMANDS_ON_FAST_DISK: f64 = 25_000.0;

/// Measures all of them, on a disk that can do this many calls of `fdatasync` per second.
pub(crate) async fn measure(
    market: &Arc<Market>,
    (duration, fdatasync_per_second): (Duration, f64),
    progress: &Progress,
    table: &mut Table,
) {
    warm_up(market).await;
    let full_batches = measure_full_batches(market, duration, progress, table).await;
    measure_clients(market, (duration, fdatasync_per_second), progress, table).await;

    progress.step("bids on one auction");
    let measured = closed_loop(market, CLIENTS, duration, |market, client, _| {
        market.bid(AUCTION, client, false)
    })
    .await;
    let name = "bids accepted on one auction, 64 clients";
    let one_auction = Figure::new(name, measured.per_second, "bids/s");
    table.add(
        one_auction
            .against(&full_batches)
            .target(Target::AtLeast(0.50)),
    );
    measure_replays(market, duration, progress, table).await;
    progress.step("bids on one auction through two executors");
    let name = "p99 of bids on one auction, 64 clients";
    let of_one = Figure::p99(name, &measured.latencies);
    let slower = closed_loop_of_two(market, CLIENTS, duration, |market, client, _| {
        market.bid(AUCTION, client, false)
    })
    .await;
    let name = "p99 of bids on one auction through the slower of two executors";
    let of_two = Figure::p99(name, &slower.latencies).against(&of_one);
    table.add(of_one);
    table.add(of_two.target(Target::AtMost(3.0)));
    measure_one_client(market, duration, progress, table).await;
    measure_opening(market, duration, progress, table).await;
}

/// Full batches, against what Postgres can do with the same rows, before and afterwards: a machine may change its speed
/// meanwhile, and tables cost more when they have grown.
async fn measure_full_batches(
    market: &Arc<Market>,
    duration: Duration,
    progress: &Progress,
    table: &mut Table,
) -> Figure {
    progress.step("COPY of events");
    let mut copying = baseline::Copying::begin(market).await;
    let copy_before = copying.measure(market, duration / 2).await;
    progress.step("append function, 256 events per call");
    let append = baseline::append_function(market, WAITING / HALVES, true, duration).await;

    progress.step("executor, 512 commands waiting");
    // No two clients bid on one auction at the same time, so that nothing but the log limits.
    let measured = closed_loop(market, WAITING, duration, |market, client, sent| {
        market.bid((client + sent * WAITING) % AUCTIONS, client, true)
    });
    let per_second = measured.await.per_second;
    progress.step("COPY of events again");
    let copy_after = copying.measure(market, duration / 2).await;
    copying.end().await;
    let name = "COPY of events and idempotency records";
    let copy = Figure::new(name, f64::midpoint(copy_before, copy_after), "events/s");
    let name = "append function, 256 events per call";
    let append = Figure::new(name, append, "events/s").against(&copy);
    let executor = || Figure::new("executor, 512 commands waiting", per_second, "events/s");
    let against_copy = executor().against(&copy).target(Target::AtLeast(0.50));
    let against_append = executor().against(&append).target(Target::AtLeast(0.75));
    for figure in [copy, append, against_copy, against_append] {
        table.add(figure);
    }
    executor()
}

/// An ordinary number of clients, against the append function and against a transaction for each
/// command.
async fn measure_clients(
    market: &Arc<Market>,
    (duration, fdatasync_per_second): (Duration, f64),
    progress: &Progress,
    table: &mut Table,
) {
    progress.step("append function, 32 commands per call");
    let append = baseline::append_function(market, CLIENTS / HALVES, false, duration).await;
    let append = Figure::new(
        "append function, 32 commands per call",
        append,
        "commands/s",
    );
    progress.step("one transaction per command");
    let single = baseline::transaction_per_command(market, CLIENTS, duration).await;
    let name = "one transaction per command, 64 clients";
    let single = Figure::new(name, single.per_second, "commands/s");

    progress.step("executor, 64 clients");
    let bid = |market: &Market, client: usize, sent: usize| {
        market.bid((client + sent * CLIENTS) % AUCTIONS, client, false)
    };
    let measured = closed_loop(market, CLIENTS, duration, bid).await;
    let per_second = measured.per_second;
    let name = "executor, 64 clients, 10,000 auctions";
    let executor = || Figure::new(name, per_second, "commands/s");
    let against_append = executor().against(&append).target(Target::AtLeast(0.60));
    let against_single = executor().against(&single).target(Target::AtLeast(5.0));
    for figure in [append, single, against_append, against_single] {
        table.add(figure);
    }
    if fdatasync_per_second >= FAST_DISK {
        table.add(executor().target(Target::AtLeast(COMMANDS_ON_FAST_DISK)));
    }

    progress.step("executor, at a fixed rate");
    let rate = per_second * BELOW_SATURATION;
    let measured = open_loop(market, CLIENTS, rate, duration, bid).await;
    let name = format!("executor, commands arriving at {rate:.0}/s");
    let figure = Figure::new(name, measured.per_second, "commands/s");
    table.add(figure.with_latencies(&measured.latencies));
    let p99 = quantile_ms(&measured.latencies, 0.99);
    let p99 = Figure::new("p99 of these commands", p99, "ms");
    table.add(p99.target(Target::AtMost(100.0)));
}

/// What replays on an auction cost the bids on it. They take CPU like any other request, so as many replays on another auction
/// are what this is measured against.
async fn measure_replays(
    market: &Arc<Market>,
    duration: Duration,
    progress: &Progress,
    table: &mut Table,
) {
    progress.step("bids beside replays of finished keys");
    let bid = |market: &Market, client: usize, _: usize| market.bid(AUCTION, client, false);
    let beside =
        async |replays| closed_loop_beside_replays(market, replays, CLIENTS, duration, bid).await;
    let elsewhere = beside((OTHER_AUCTION, FEW)).await;
    let name = "bids on one auction beside 16 clients that replay finished keys on another";
    let bids = |name, it: &Measured| {
        Figure::new(name, it.per_second, "bids/s").with_latencies(&it.latencies)
    };
    let elsewhere = bids(name, &elsewhere);
    let on_it = beside((AUCTION, FEW)).await;
    let name = "the same beside 16 clients that replay finished keys on it";
    let on_it = bids(name, &on_it);
    let on_it = on_it.against(&elsewhere).target(Target::AtLeast(0.9));
    table.add(elsewhere);
    table.add(on_it);
}

/// The latency of one command at a time, against that of a single insert, before and afterwards.
async fn measure_one_client(
    market: &Arc<Market>,
    duration: Duration,
    progress: &Progress,
    table: &mut Table,
) {
    progress.step("one client");
    let median = |name, latencies: &Histogram<u64>| {
        Figure::new(name, quantile_ms(latencies, 0.5), "ms (median)").with_latencies(latencies)
    };
    let mut insert = baseline::insert(market, duration / 2).await;
    let append = baseline::transaction_per_command(market, 1, duration).await;
    // The executor has to look up all streams again after another one has appended.
    warm_up(market).await;
    let many = closed_loop(market, 1, duration, |market, _, sent| {
        market.bid(sent % AUCTIONS, 0, false)
    })
    .await;
    let keyed = closed_loop(market, 1, duration, |market, _, sent| {
        market.bid(sent % AUCTIONS, 0, true)
    })
    .await;
    insert += baseline::insert(market, duration / 2).await;
    let insert = median("bare INSERT and COMMIT", &insert);
    let append = median("append function, one event per call", &append.latencies);
    let append = append.against(&insert);
    let executor = median("executor, one client", &many.latencies);
    let executor = executor.against(&insert).target(Target::AtMost(1.5));
    let keyed = median("executor, one client with keys", &keyed.latencies);
    let keyed = keyed.against(&insert).target(Target::AtMost(1.7));
    let hot = closed_loop(market, 1, duration, |market, _, _| market.bid(0, 0, false)).await;
    let name = "executor, one client, one auction";
    let hot = Figure::new(name, hot.per_second, "commands/s");
    let name = "executor, one client, 10,000 auctions";
    let many = Figure::new(name, many.per_second, "commands/s")
        .against(&hot)
        .target(Target::AtLeast(0.8));
    for figure in [insert, append, executor, keyed, hot, many] {
        table.add(figure);
    }
}

/// Opening auctions, each on new streams, against bidding by as many clients.
async fn measure_opening(
    market: &Arc<Market>,
    duration: Duration,
    progress: &Progress,
    table: &mut Table,
) {
    progress.step("opening auctions");
    let bidding = closed_loop(market, FEW, duration, |market, client, sent| {
        market.bid((client + sent * FEW) % AUCTIONS, client, false)
    });
    let name = "executor, 16 clients bidding";
    let bidding = Figure::new(name, bidding.await.per_second, "commands/s");
    let opening = closed_loop(market, FEW, duration, |market, client, sent| {
        market.open(client, sent)
    });
    let name = "executor, 16 clients opening auctions";
    let opening = Figure::new(name, opening.await.per_second, "commands/s")
        .against(&bidding)
        .target(Target::AtLeast(0.5));
    for figure in [bidding, opening] {
        table.add(figure);
    }
}
