//! Very many tasks on two of everything, which is killed at random, while a quarter of the receivers is dead and half of the others
//! fail the first call of each run.

use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::time::sleep;

use super::recovery::{PROJECTOR_RESUMES, SLOWNESS};
use super::runs::{Ends, Runs};
use super::{Fault, Injection, Outcome};
use crate::load::p99;
use crate::servers::Receiver;
use crate::stack::{Layout, LoadSize, Process, Stack};
use crate::supervisor::Signal;

pub(super) const FAULTS: &[Fault] = &[Fault::new(
    "kill-beside-tasks",
    "two of everything, killed at random for 5 minutes, beside 200 tasks of which some call dead receivers",
    2,
    |i| kill_beside_tasks(i).boxed(),
)
.on(many_tasks)];

/// The tasks. A debug build on a busy machine bears fewer.
const TASKS: usize = if cfg!(debug_assertions) { 40 } else { 200 };
/// The receivers, of which the last two die.
const RECEIVERS: u8 = 8;
/// For how long everything runs before, so that the standbys have taken their share.
const SETTLE: Duration = Duration::from_secs(20);
/// For how long lateness is measured while all receivers live, and again when two are dead.
const MEASURE: Duration = Duration::from_secs(30);
/// For how long processes are killed.
const KILLS: Duration = Duration::from_mins(5);
/// The pause between two kills. It may be shorter than what a process needs to be ready again.
const PAUSE_MIN: Duration = Duration::from_secs(3);
const PAUSE_MAX: Duration = Duration::from_secs(12);
/// By how much a dead receiver may delay the calls of another.
const DELAY_MAX: Duration = Duration::from_secs(SLOWNESS);
/// Of a thousand runs that call a receiver which accepts their second call at the latest, how many succeed.
const SUCCEEDED_PER_THOUSAND: usize = 999;

fn many_tasks() -> Layout {
    Layout {
        size: LoadSize {
            send_interval: Duration::from_secs(2),
            tasks: TASKS,
            receivers: RECEIVERS,
        },
        ..Layout::default()
    }
}

async fn kill_beside_tasks(mut injection: Injection) -> Outcome {
    let stack = injection.stack.clone();
    for standby in [&stack.relays[1], &stack.projectors[1]] {
        standby.supervised.release();
        standby.ready().await;
    }
    let living = stack.receivers.len() - 2;
    let (living, dead) = stack.receivers.split_at(living);
    sleep(SETTLE).await;

    let before = measure(&stack, living, "all receivers live").await;
    dead[0].process.signal(Signal::Stop);
    dead[1].process.hold();
    dead[1].process.kill();
    let meanwhile = measure(&stack, living, "two receivers are dead").await;
    let delay = meanwhile.saturating_sub(before);
    assert!(
        delay < DELAY_MAX,
        "dead receivers delay the calls of others by {delay:?}, not by less than {DELAY_MAX:?}"
    );

    let head = stack.head().await;
    let kills = kill_at_random(&mut injection).await;
    let runs = Runs::since(&stack, head).await;
    println!("  {kills} processes were killed; since the first, by receiver:");
    for receiver in &stack.receivers {
        report(&runs, receiver);
    }
    for standby in [&stack.relays[1], &stack.projectors[1]] {
        standby.stop().await;
    }
    let resumed = injection.wait_for_read_models(PROJECTOR_RESUMES).await;
    let ends: Vec<_> = living.iter().map(|it| runs.ends(it)).collect();
    assert_succeeded(&ends);
    Outcome::Recovered(resumed)
}

/// Measures for a while how late calls are, prints it for each receiver, and returns the largest p99.
async fn measure(stack: &Stack, receivers: &[Receiver], when: &str) -> Duration {
    let head = stack.head().await;
    sleep(MEASURE).await;
    let runs = Runs::since(stack, head).await;
    println!("  lateness of calls while {when}:");
    let p99s = receivers.iter().map(|it| report(&runs, it));
    p99s.max().unwrap_or_default()
}

/// Prints what came of the runs that call a receiver and how late its calls were, and returns the p99.
fn report(runs: &Runs, receiver: &Receiver) -> Duration {
    let mut late: Vec<_> = runs.lateness(receiver).collect();
    let p99 = p99(&mut late).unwrap_or_default();
    let ms = |at: usize| late.get(at).map_or(0, Duration::as_millis);
    let (median, most) = (ms(late.len() / 2), ms(late.len().saturating_sub(1)));
    let Ends {
        succeeded,
        failed,
        cut_short,
        open,
        attempts,
    } = runs.ends(receiver);
    println!(
        "    {} {}: {succeeded} succeeded, {failed} failed ({cut_short} cut short), {open} open, {attempts} attempts; \
         late by {median} ms (median), {} ms (p99), {most} ms (most)",
        receiver.host,
        receiver.how.name(),
        p99.as_millis()
    );
    p99
}

/// Kills one process after the other, each of which the supervisor starts again, and returns how many.
async fn kill_at_random(injection: &mut Injection) -> usize {
    let stack = injection.stack.clone();
    let running: Vec<&Process> = stack
        .processes()
        .filter(|it| !it.supervised.is_held())
        .collect();
    let until = Instant::now() + KILLS;
    let mut kills = 0;
    while Instant::now() < until {
        let process = injection.one_of::<&Process>(&running);
        let fault = format!("kill of {}", process.supervised.name());
        // So that the invariants know how often calls and mails may have come again.
        injection.load.fault_begins(&fault);
        process.supervised.kill();
        injection.load.fault_ends(&fault);
        kills += 1;
        sleep(injection.between(PAUSE_MIN, PAUSE_MAX)).await;
    }
    kills
}

/// Fails if fewer runs succeeded than may, of those that were not cut short.
fn assert_succeeded(ends: &[Ends]) {
    let sum = |of: fn(&Ends) -> usize| ends.iter().map(of).sum::<usize>();
    let (succeeded, failed) = (sum(|it| it.succeeded), sum(|it| it.failed));
    println!("  of living receivers {succeeded} succeeded, {failed} failed");
    assert!(
        succeeded * 1_000 >= (succeeded + failed) * SUCCEEDED_PER_THOUSAND,
        "{failed} runs failed, and {succeeded} succeeded"
    );
}
