//! Processes and servers that are paused for a while, and go on as if no time had passed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::time::sleep;

use super::recovery::{PROJECTOR_RESUMES, RELAY_RESUMES};
use super::{Fault, Injection, Outcome};
use crate::stack::{Process, Stack};
use crate::supervisor::{Signal, Supervised};
use crate::wait::wait_until;

/// How long a pause lasts, in seconds.
const PAUSES_S: [u64; 4] = [1, 5, 30, 60];
/// Until everything goes on after a pause.
const RESUME: Duration = Duration::from_secs(20);
/// Commands that are accepted while a successor works and the zombie is still paused.
const MEANWHILE: u64 = 1_000;
/// Until a zombie notices that it has a successor.
const ZOMBIE_NOTICES: Duration = Duration::from_secs(5);
/// What a relay logs then (`event-store/src/relay.rs`).
const TERM_FAILED: &str = "the relay's term failed";
/// What a projector logs then (`projector/src/sharing/assignment_runner.rs`). By then its
/// checkpoints have moved, and Postgres has ended its transactions.
const LEASE_LOST: &str = "the lease is lost";

/// After faults in which a relay is paused, or kept waiting for longer than its lease lasts, records
/// may come again: the relay and its successor may both have published them.
pub(super) const FAULTS: &[Fault] = &[
    pause_of("pause-command-api", "pause of a command API", |i| {
        pause(i, |stack| &stack.command_apis[0].supervised).boxed()
    }),
    pause_of("pause-relay", "pause of the relay", |i| {
        pause(i, |stack| &stack.relays[0].supervised).boxed()
    })
    .with_repeats(),
    pause_of("pause-projector", "pause of the projector", |i| {
        pause(i, |stack| &stack.projectors[0].supervised).boxed()
    }),
    pause_of("pause-query-api", "pause of a query API", |i| {
        pause(i, |stack| &stack.query_apis[0].supervised).boxed()
    }),
    pause_of("pause-postgres", "pause of Postgres", |i| {
        pause(i, |stack| &stack.postgres.process).boxed()
    })
    .with_repeats(),
    pause_of("pause-redis", "pause of Redis", |i| {
        pause(i, |stack| &stack.redis.process).boxed()
    }),
    pause_of("pause-kafka", "pause of Kafka", |i| {
        pause(i, |stack| &stack.kafka.process).boxed()
    })
    .with_repeats(),
    Fault::new(
        "zombie-relay",
        "the relay is paused, another one takes over, the first one goes on",
        5,
        |i| zombie_relay(i).boxed(),
    )
    .with_repeats(),
    Fault::new(
        "zombie-projector",
        "the projector is paused, another one takes over, the first one goes on",
        5,
        |i| zombie_projector(i).boxed(),
    ),
];

const fn pause_of(
    name: &'static str,
    description: &'static str,
    inject: fn(Injection) -> BoxFuture<'static, Outcome>,
) -> Fault {
    Fault::new(name, description, 3, inject)
}

async fn pause(mut injection: Injection, which: fn(&Stack) -> &Arc<Supervised>) -> Outcome {
    let stack = injection.stack.clone();
    let process = which(&stack);
    let seconds = *injection.one_of(&PAUSES_S);
    process.signal(Signal::Stop);
    sleep(Duration::from_secs(seconds)).await;
    process.signal(Signal::Continue);
    let commands = injection.wait_for_commands(RESUME).await;
    let relay = injection.wait_for_relay(RESUME).await;
    let read_models = injection.wait_for_read_models(RESUME).await;
    Outcome::Recovered(commands + relay + read_models)
}

/// A relay is paused with records in its queue, another one takes over, and then the first one goes
/// on: what it still sends does no harm.
async fn zombie_relay(injection: Injection) -> Outcome {
    let stack = &injection.stack;
    let [zombie, successor] = [&stack.relays[0], &stack.relays[1]];
    // The first relay must lead. An earlier fault in this round may have left the lease to another.
    injection.wait_for_relay(RELAY_RESUMES).await;
    successor.supervised.release();
    successor.ready().await;
    zombie.supervised.signal(Signal::Stop);
    injection.wait_for_relay(RELAY_RESUMES).await;
    injection.load.wait_for_commands(MEANWHILE).await;
    wake(zombie, TERM_FAILED).await;
    let recovered = injection.wait_for_relay(RELAY_RESUMES).await;
    zombie.ready().await;
    Outcome::Recovered(recovered)
}

/// The same with a projector that is paused within its transactions.
async fn zombie_projector(injection: Injection) -> Outcome {
    let stack = &injection.stack;
    let [zombie, successor] = [&stack.projectors[0], &stack.projectors[1]];
    injection.wait_for_read_models(PROJECTOR_RESUMES).await;
    successor.supervised.release();
    successor.ready().await;
    zombie.supervised.signal(Signal::Stop);
    injection.wait_for_read_models(PROJECTOR_RESUMES * 2).await;
    injection.load.wait_for_commands(MEANWHILE).await;
    wake(zombie, LEASE_LOST).await;
    let recovered = injection.wait_for_read_models(PROJECTOR_RESUMES).await;
    zombie.ready().await;
    Outcome::Recovered(recovered)
}

/// Lets a zombie go on, which has to log in time that another one has taken its place.
async fn wake(zombie: &Process, message: &str) {
    let (woken_at, offset) = (Instant::now(), zombie.log_length());
    zombie.supervised.signal(Signal::Continue);
    let name = zombie.supervised.name();
    wait_until(&format!("{name} logs \"{message}\""), || async {
        zombie.log_since(offset).contains(message)
    })
    .await;
    let noticed = woken_at.elapsed();
    assert!(
        noticed < ZOMBIE_NOTICES,
        "{name} logged \"{message}\" only after {noticed:?}, not within {ZOMBIE_NOTICES:?}"
    );
}
