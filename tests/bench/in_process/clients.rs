//! Clients that submit commands to the executor of this process.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use tidemark_command_api::executor::{Executor, Submission};

use super::Market;
use super::market::{AUCTIONS, BIDDERS};
use crate::load::{Client, Measured, at_rate, saturate, saturate_two};

/// Bids on every auction once, so that no figure includes the first load of a stream.
pub(crate) async fn warm_up(market: &Market) {
    stream::iter(0..AUCTIONS)
        .map(|auction| market.executor.execute(market.bid(auction, auction, false)))
        .buffer_unordered(BIDDERS)
        .for_each(async |done| drop(done.unwrap()))
        .await;
}

/// Has each of `clients` submit commands without a pause. `next` makes a command of the number of
/// the client and of how many it has submitted before.
pub(crate) async fn closed_loop(
    market: &Arc<Market>,
    clients: usize,
    duration: Duration,
    next: impl Fn(&Market, usize, usize) -> Submission + Send + Copy + 'static,
) -> Measured {
    saturate(&mut executor_clients(market, clients, next), duration).await
}

/// As [`closed_loop`], while `replays` clients send a request again and again that was answered before, each its own bid on
/// this auction.
pub(crate) async fn closed_loop_beside_replays(
    market: &Arc<Market>,
    (auction, replays): (usize, usize),
    clients: usize,
    duration: Duration,
    next: impl Fn(&Market, usize, usize) -> Submission + Send + Copy + 'static,
) -> Measured {
    let mut replaying = Vec::new();
    for client in 0..replays {
        let submission = market.bid(auction, client, true);
        market.executor.execute(submission.clone()).await.unwrap();
        replaying.push(ReplayingClient {
            executor: market.executor.clone(),
            submission,
        });
    }
    let honest = closed_loop(market, clients, duration, next);
    tokio::join!(honest, saturate(&mut replaying, duration)).0
}

/// As [`closed_loop`], with half of the clients at the second executor. Returns what was measured at the slower of the two.
pub(crate) async fn closed_loop_of_two(
    market: &Arc<Market>,
    clients: usize,
    duration: Duration,
    next: impl Fn(&Market, usize, usize) -> Submission + Send + Copy + 'static,
) -> Measured {
    let mut first = executor_clients(market, clients, next);
    let mut second = first.split_off(clients / 2);
    for client in &mut second {
        client.executor = market.second_executor.clone();
    }
    saturate_two([first, second], duration).await
}

/// As [`closed_loop`], with commands that arrive at a fixed rate.
pub(crate) async fn open_loop(
    market: &Arc<Market>,
    clients: usize,
    per_second: f64,
    duration: Duration,
    next: impl Fn(&Market, usize, usize) -> Submission + Send + Copy + 'static,
) -> Measured {
    at_rate(
        &mut executor_clients(market, clients, next),
        per_second,
        duration,
    )
    .await
}

struct ReplayingClient {
    executor: Executor,
    submission: Submission,
}

impl Client for ReplayingClient {
    async fn send_next(&mut self) -> bool {
        // The answer is known, so that nothing waits: without this the client would keep its thread for itself.
        tokio::task::yield_now().await;
        let answer = self.executor.execute(self.submission.clone()).await;
        answer.is_ok_and(|accepted| accepted.replayed)
    }
}

struct ExecutorClient<F> {
    market: Arc<Market>,
    executor: Executor,
    number: usize,
    submitted: usize,
    next: F,
}

impl<F: Fn(&Market, usize, usize) -> Submission + Send + 'static> Client for ExecutorClient<F> {
    async fn send_next(&mut self) -> bool {
        let submission = (self.next)(&self.market, self.number, self.submitted);
        self.submitted += 1;
        // A bid that another one has overtaken is refused, and does not count.
        self.executor.execute(submission).await.is_ok()
    }
}

fn executor_clients<F: Copy>(
    market: &Arc<Market>,
    clients: usize,
    next: F,
) -> Vec<ExecutorClient<F>> {
    let client = |number| ExecutorClient {
        market: Arc::clone(market),
        executor: market.executor.clone(),
        number,
        submitted: 0,
        next,
    };
    (0..clients).map(client).collect()
}
