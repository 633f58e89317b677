//! Clients of the executor in this process.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use tidemark_command_api::executor::Submission;

use crate::load::{Client, Seen, at_rate, saturate};
use crate::world::{AUCTIONS, BIDDERS, World};

/// Has one command done on each auction, so that no figure is of streams that are loaded first.
pub(crate) async fn warm_up(world: &World) {
    stream::iter(0..AUCTIONS)
        .map(|auction| world.executor.execute(world.bid(auction, auction, false)))
        .buffer_unordered(BIDDERS)
        .for_each(async |done| drop(done.unwrap()))
        .await;
}

/// Has `clients` send what `next` makes of their number and their turn, each as soon as it is answered.
pub(crate) async fn closed_loop(
    world: &Arc<World>,
    clients: usize,
    duration: Duration,
    next: impl Fn(&World, usize, usize) -> Submission + Send + Copy + 'static,
) -> Seen {
    saturate(&mut local(world, clients, next), duration).await
}

/// The same, arriving at a rate: for latencies.
pub(crate) async fn open_loop(
    world: &Arc<World>,
    clients: usize,
    per_second: f64,
    duration: Duration,
    next: impl Fn(&World, usize, usize) -> Submission + Send + Copy + 'static,
) -> Seen {
    at_rate(&mut local(world, clients, next), per_second, duration).await
}

struct Local<F> {
    world: Arc<World>,
    number: usize,
    turn: usize,
    next: F,
}

impl<F: Fn(&World, usize, usize) -> Submission + Send + 'static> Client for Local<F> {
    async fn turn(&mut self) -> bool {
        let submission = (self.next)(&self.world, self.number, self.turn);
        self.turn += 1;
        // A bid that another overtook is refused: that is an answer, but not a bid.
        self.world.executor.execute(submission).await.is_ok()
    }
}

fn local<F: Copy>(world: &Arc<World>, clients: usize, next: F) -> Vec<Local<F>> {
    let client = |number| Local {
        world: Arc::clone(world),
        number,
        turn: 0,
        next,
    };
    (0..clients).map(client).collect()
}
