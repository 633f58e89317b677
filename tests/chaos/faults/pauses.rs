//! Processes that stand still for a while, and go on as if no time had passed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::time::sleep;

use super::waits::{PROJECTS, RELAYS};
use super::{Episode, Fault, Outcome, Topics};
use crate::stack::{Process, Stack, until};
use crate::supervisor::{Signal, Supervised};

/// For so long, in s.
const PAUSES_S: [u64; 4] = [1, 5, 30, 60];
/// After a pause everything is back.
const BACK: Duration = Duration::from_secs(20);
/// Events that the next one publishes or applies before the paused one goes on.
const MEANWHILE: u64 = 1_000;
/// What wakes in the place of another has noticed.
const NOTICED: Duration = Duration::from_secs(5);
/// What a relay logs then.
const TERM_ENDED: &str = "the relay's term ended";
/// And a projector. Its checkpoints have moved, and Postgres has ended the transactions that it was in.
const LEASE_LOST: &str = "the lease is lost";

/// The faults of this kind.
pub(crate) const FAULTS: &[Fault] = &[
    fault("f10-api", "pause of a command API", Topics::Exact, |e| {
        pause(e, |stack| &stack.apis[0].process).boxed()
    }),
    fault("f10-relay", "pause of the relay", Topics::Repeated, |e| {
        pause(e, |stack| &stack.relays[0].process).boxed()
    }),
    fault(
        "f10-projector",
        "pause of the projector",
        Topics::Exact,
        |e| pause(e, |stack| &stack.projectors[0].process).boxed(),
    ),
    fault("f10-query", "pause of a query API", Topics::Exact, |e| {
        pause(e, |stack| &stack.queries[0].process).boxed()
    }),
    fault("f10-postgres", "pause of Postgres", Topics::Repeated, |e| {
        pause(e, |stack| &stack.postgres.process).boxed()
    }),
    fault("f10-redis", "pause of Redis", Topics::Exact, |e| {
        pause(e, |stack| &stack.redis.process).boxed()
    }),
    fault("f10-kafka", "pause of Kafka", Topics::Repeated, |e| {
        pause(e, |stack| &stack.kafka.process).boxed()
    }),
    Fault {
        topics: Topics::Repeated,
        ..Fault::new("f11", "zombie relay", 5, |e| zombie_relay(e).boxed())
    },
    Fault::new("f12", "zombie projector", 5, |e| {
        zombie_projector(e).boxed()
    }),
];

const fn fault(
    id: &'static str,
    title: &'static str,
    topics: Topics,
    inject: fn(Episode) -> BoxFuture<'static, Outcome>,
) -> Fault {
    Fault {
        topics,
        ..Fault::new(id, title, 3, inject)
    }
}

async fn pause(mut episode: Episode, which: fn(&Stack) -> &Arc<Supervised>) -> Outcome {
    let stack = episode.stack.clone();
    let process = which(&stack);
    let seconds = *episode.one_of(&PAUSES_S);
    process.signal(Signal::Stop);
    sleep(Duration::from_secs(seconds)).await;
    process.signal(Signal::Continue);
    let accepts = episode.accepts(BACK).await;
    let relays = episode.relays(BACK).await;
    Outcome::Recovered(accepts + relays + episode.projects(BACK).await)
}

/// A relay stands still with its queue full, another one takes over and goes on, the first one wakes:
/// what it still sends does no harm.
async fn zombie_relay(episode: Episode) -> Outcome {
    let stack = &episode.stack;
    let [old, new] = [&stack.relays[0], &stack.relays[1]];
    // It leads: the other one may have left its lease in an episode before.
    episode.relays(RELAYS).await;
    new.process.release();
    new.ready().await;
    old.process.signal(Signal::Stop);
    episode.relays(RELAYS).await;
    episode.load.accepted(MEANWHILE).await;
    wake(old, TERM_ENDED).await;
    let back = episode.relays(RELAYS).await;
    old.ready().await;
    Outcome::Recovered(back)
}

/// The same with a projector in the middle of its transactions.
async fn zombie_projector(episode: Episode) -> Outcome {
    let stack = &episode.stack;
    let [old, new] = [&stack.projectors[0], &stack.projectors[1]];
    episode.projects(PROJECTS).await;
    new.process.release();
    new.ready().await;
    old.process.signal(Signal::Stop);
    episode.projects(PROJECTS * 2).await;
    episode.load.accepted(MEANWHILE).await;
    wake(old, LEASE_LOST).await;
    let back = episode.projects(PROJECTS).await;
    old.ready().await;
    Outcome::Recovered(back)
}

/// Lets a process go on, which has to notice soon that another one took its place.
async fn wake(old: &Process, message: &str) {
    let (woken, place) = (Instant::now(), old.logged());
    old.process.signal(Signal::Continue);
    until("a zombie to notice", || async {
        old.log_since(place).contains(message)
    })
    .await;
    let noticed = woken.elapsed();
    assert!(noticed < NOTICED, "noticed only after {noticed:?}");
}
